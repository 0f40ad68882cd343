import { describePathFuzz } from '#support/fuzz/path-suite.ts';

describePathFuzz({ cases: 2_000, abreast: 16 });
