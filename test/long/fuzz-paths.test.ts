import { describePathFuzz } from '#support/fuzz/path-suite.ts';

describePathFuzz({ cases: 100_000, abreast: 32 });
