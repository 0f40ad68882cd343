import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MalformedDer } from '#certs/der.ts';
import { readTime, timeText } from '#certs/x509-time.ts';

const asDer = (tag: number, text: string): Parameters<typeof readTime>[0] => {
  const content = Buffer.from(text, 'latin1');
  return { tag, content, whole: content };
};

test('every second of the years 0001 to 9999 is written and read back, as the language itself counts', () => {
  const seconds = fc.integer({ min: -62_135_596_800, max: 253_402_300_799 });
  const near = fc.constantFrom(
    ...['1970-01-01', '1999-12-31', '2000-02-29', '2024-02-29', '2049-12-31', '2050-01-01', '2100-03-01', '1950-01-01'],
  );
  const times = fc.oneof(
    seconds,
    near.map((day) => Date.parse(`${day}T23:59:59Z`) / 1000),
  );
  fc.assert(
    fc.property(times, fc.nat(999), (second, ms) => {
      const { tag, text } = timeText(second * 1000 + ms);
      const iso = new Date(second * 1000).toISOString().slice(0, 19).replace(/[-:T]/g, '');
      expect(text).toBe(`${tag === 0x17 ? iso.slice(2) : iso}Z`);
      expect(readTime(asDer(tag, text))).toBe(second * 1000);
    }),
  );
});

test('UTCTime ends with 2049', () => {
  expect(timeText(Date.UTC(2049, 11, 31, 23, 59, 59))).toEqual({ tag: 0x17, text: '491231235959Z' });
  expect(timeText(Date.UTC(2050, 0, 1))).toEqual({ tag: 0x18, text: '20500101000000Z' });
});

describe('readTime refuses', () => {
  test.each([
    [0x17, '261122055607', 'no zone'],
    [0x17, '2611220556Z', 'no seconds'],
    [0x17, '261122055607+0100', 'another zone'],
    [0x18, '20261122055607.5Z', 'fractions'],
    [0x17, '261322055607Z', 'month 13'],
    [0x17, '260022055607Z', 'month 0'],
    [0x17, '260229055607Z', '29 February of a common year'],
    [0x18, '21000229055607Z', '29 February of 2100'],
    [0x17, '261122245607Z', 'hour 24'],
    [0x17, '261122056007Z', 'minute 60'],
    [0x17, '261122055660Z', 'a leap second'],
    [0x18, '261122055607Z', 'a short year in GeneralizedTime'],
    [0x17, '20261122055607Z', 'a long year in UTCTime'],
    [0x0c, '261122055607Z', 'another type'],
    [0x17, '261122055607Z\n', 'a line end'],
  ])('%i %j: %s', (tag, text) => {
    expect(() => readTime(asDer(tag, text))).toThrow(MalformedDer);
  });
});
