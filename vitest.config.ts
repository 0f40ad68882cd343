import { defineConfig } from 'vitest/config';

const conditions = ['source'];

/** What `npm test` leaves out; each tier says itself what it needs. */
const otherTiers = [
  'npm run test:tiers    foreign programs as peers: openssl, curl, nginx, haproxy, wrk, nghttp2, Envoy, Chromium, Go, Python with gRPC, libfaketime',
  'npm run test:package  the tarball in an empty folder, the README in a fresh copy: a package registry',
  'npm run test:long     runs of more than a minute: time',
];

const tellOtherTiers = {
  onTestRunEnd(): void {
    if (process.env['npm_lifecycle_event'] !== 'test') return;
    process.stdout.write(`\nNot run here (command, tests, needs):\n  ${otherTiers.join('\n  ')}\n\n`);
  },
};

/** A folder where each run leaves its counts as JSON; `.ci/run` sums them up. */
const results = process.env['EASTWEST_TEST_RESULTS'];

const special = ['test/package.test.ts', 'test/readme.test.ts'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    environment: 'node',
    pool: 'forks',
    maxWorkers: 2, // even on two cores: most stories wait for certificates to age
    reporters: [
      'default',
      tellOtherTiers,
      ...(results === undefined
        ? []
        : [['json', { outputFile: `${results}/${process.pid}.json` }] as ['json', object]]),
    ],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/{e2e,tiers,long}/**', ...special],
          testTimeout: 20_000,
        },
      },
      { extends: true, test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 60_000 } },
      { extends: true, test: { name: 'tiers', include: ['test/tiers/**/*.test.ts'], testTimeout: 60_000 } },
      { extends: true, test: { name: 'package', include: special, testTimeout: 240_000, fileParallelism: false } },
      {
        extends: true,
        test: { name: 'long', include: ['test/long/**/*.test.ts'], testTimeout: 600_000, fileParallelism: false },
      },
    ],
  },
});
