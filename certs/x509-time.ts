import { MalformedDer, tags, type Der } from './der.ts';

const secondMs = 1000;
const daySeconds = 86_400;
const form = /^(\d\d)?(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;

/** Milliseconds since 1970 of a UTCTime (years 1950 to 2049) or GeneralizedTime, whole seconds in UTC (RFC 5280, section 4.1.2.5). */
export function readTime(value: Der | undefined): number {
  const match = form.exec(value?.content.toString('latin1') ?? '');
  if (!match || value?.tag !== (match[1] === undefined ? tags.utcTime : tags.generalizedTime)) throw new MalformedDer();
  const [century, years = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const year = match[1] === undefined ? years + (years < 50 ? 2000 : 1900) : (century ?? 0) * 100 + years;
  const known = month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month);
  if (!known || hour > 23 || minute > 59 || second > 59) throw new MalformedDer();
  return (dayNumber(year, month, day) * daySeconds + hour * 3600 + minute * 60 + second) * secondMs;
}

/** The other way round; `ms` is cut to the second. UTCTime up to 2049, GeneralizedTime from 2050 on, as RFC 5280 wants it. */
export function timeText(ms: number): { tag: number; text: string } {
  const seconds = Math.floor(ms / secondMs);
  const days = Math.floor(seconds / daySeconds);
  let year = 1970 + Math.floor(days / 365.2425);
  while (dayNumber(year, 1, 1) > days) year -= 1;
  while (dayNumber(year + 1, 1, 1) <= days) year += 1;
  let month = 1;
  while (month < 12 && dayNumber(year, month + 1, 1) <= days) month += 1;
  const ofDay = seconds - days * daySeconds;
  const parts = [month, days - dayNumber(year, month, 1) + 1, ofDay / 3600, (ofDay / 60) % 60, ofDay % 60];
  const rest = `${parts.map((part) => twoDigits(Math.floor(part))).join('')}Z`;
  if (year >= 1950 && year < 2050) return { tag: tags.utcTime, text: twoDigits(year % 100) + rest };
  return { tag: tags.generalizedTime, text: String(year).padStart(4, '0') + rest };
}

/** Days since 1970-01-01 of a day of the Gregorian calendar; months from 1. */
export function dayNumber(year: number, month: number, day: number): number {
  const before = year - 1;
  const leapDays = Math.floor(before / 4) - Math.floor(before / 100) + Math.floor(before / 400);
  let days = before * 365 + leapDays - 719_162; // 719,162 days lie between the years 1 and 1970
  for (let m = 1; m < month; m += 1) days += daysIn(year, m);
  return days + day - 1;
}

/** Of a month, from 1. */
export function daysIn(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
