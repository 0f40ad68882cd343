import { dayNumber, daysIn } from '#certs/x509-time.ts';

const form = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/** Milliseconds since 1970 of a time such as `2026-01-31T12:00:00+01:00` (RFC 3339, section 5.6), without leap seconds. */
export function instantMs(text: string): number | undefined {
  const match = form.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  const [fraction = '', sign = '+', offsetHour = '0', offsetMinute = '0'] = match.slice(7);
  const isDay = month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month);
  if (!isDay || hour > 23 || minute > 59 || second > 59) return undefined;
  if (Number(offsetHour) > 23 || Number(offsetMinute) > 59) return undefined;
  const offset = Number(`${sign}1`) * (Number(offsetHour) * 60 + Number(offsetMinute));
  const minutes = dayNumber(year, month, day) * 1_440 + hour * 60 + minute - offset;
  return (minutes * 60 + second) * 1_000 + Number(fraction.padEnd(3, '0').slice(0, 3));
}
