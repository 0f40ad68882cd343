import type { HeaderField } from '#agent/http/header-field.ts';

/** Fields as the engine hands them over: `:method: GET|accept: x`. Nothing is checked: tables write bad ones too. */
export function fieldsOf(text: string): HeaderField[] {
  return text.split('|').map((line) => {
    const end = line.indexOf(': ', 1);
    const name = line.slice(0, end);
    return { name, rawName: name, value: line.slice(end + 2) };
  });
}
