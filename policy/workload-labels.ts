/** The labels of a workload outside Kubernetes. */
export function workloadLabels(name: string): Readonly<Record<string, string>> {
  return { app: name, 'app.kubernetes.io/name': name };
}

/** The one name whose workload has all these labels; undefined: no workload has them, or each of any name (there are none). */
export function nameSelectedBy(selector: Readonly<Record<string, string>>): string | undefined {
  const [name, ...others] = new Set(Object.values(selector));
  if (name === undefined || others.length > 0) return undefined;
  const labels = workloadLabels(name);
  return Object.keys(selector).every((label) => Object.hasOwn(labels, label)) ? name : undefined;
}
