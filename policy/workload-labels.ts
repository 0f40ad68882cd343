/** The labels of a workload outside Kubernetes. */
export function workloadLabels(name: string): Readonly<Record<string, string>> {
  return { app: name, 'app.kubernetes.io/name': name };
}
