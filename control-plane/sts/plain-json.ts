import { isJsonArray, isJsonObject, type JsonValue } from '#tokens/strict-json.ts';

/** As `JSON.stringify` takes it. Names cannot be `__proto__`: the strict reader refuses that. */
export function plainJson(value: JsonValue): unknown {
  if (isJsonArray(value)) return value.map(plainJson);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries([...value].map(([name, each]) => [name, plainJson(each)]));
}
