// The chart, rendered by the real helm for five value sets: valid, whole, and in words that the programs understand.
import { test, describe } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { chart, flagsOf, helm, kubectl, render, root, valueSets } from './helm.mjs';
import { faults } from './kubernetes.mjs';

const bin = process.env.MEDIDESK_BIN;
const manifests = Object.fromEntries(Object.entries(valueSets).map(([name, set]) => [name, render(set)]));
const idOf = (manifest) => `${manifest.kind}/${manifest.metadata.name}`;
const ofKind = (list, ...kinds) => list.filter((manifest) => kinds.includes(manifest.kind));
const podOf = (manifest) => (manifest.kind === 'Pod' ? manifest : manifest.spec?.template);
const withPods = (list) => list.filter((manifest) => podOf(manifest)?.spec?.containers);
const matches = (labels, wanted) => Object.entries(wanted).every(([key, value]) => labels?.[key] === value);

describe('each value set', () => {
  for (const [name, set] of Object.entries(valueSets)) {
    const list = manifests[name];
    test(`${name}: lints strictly`, () => {
      const result = helm('lint', '--strict', chart, ...flagsOf(set));
      assert.equal(result.code, 0, result.out + result.err);
      assert.doesNotMatch(result.out, /WARNING|ERROR/);
    });
    test(`${name}: every manifest fits its schema`, async () => {
      assert.ok(list.length > 5);
      for (const manifest of list) assert.deepEqual(await faults(manifest), [], idOf(manifest));
    });
    test(`${name}: kubectl reads it`, () => {
      // Without a cluster kubectl decodes the kinds that it knows by itself.
      const known = list.filter((manifest) => !/cert-manager|coreos/.test(manifest.apiVersion));
      const result = kubectl(known.map((manifest) => stringify(manifest)).join('---\n'), 'annotate', '--local', '-f', '-', 'a=b', '-o', 'name');
      assert.equal(result.code, 0, result.err);
      assert.equal(result.out.trim().split('\n').length, known.length);
      const workloads = ofKind(list, 'Deployment', 'StatefulSet');
      const typed = kubectl(workloads.map((manifest) => stringify(manifest)).join('---\n'), 'set', 'resources', '--local', '-f', '-', '--limits=cpu=1', '-o', 'name');
      assert.equal(typed.code, 0, typed.err);
    });
    test(`${name}: no two objects have one name`, () => {
      const names = list.map(idOf);
      assert.deepEqual(names, [...new Set(names)]);
      for (const manifest of list) assert.equal(manifest.metadata.namespace, 'hospital', idOf(manifest));
    });
    test(`${name}: selectors find what they are for`, () => {
      const pods = withPods(list);
      for (const manifest of ofKind(list, 'Deployment', 'StatefulSet')) {
        assert.ok(matches(manifest.spec.template.metadata.labels, manifest.spec.selector.matchLabels), idOf(manifest));
      }
      for (const manifest of [...ofKind(list, 'Service'), ...ofKind(list, 'PodDisruptionBudget', 'NetworkPolicy')]) {
        const selector = manifest.spec.podSelector?.matchLabels ?? manifest.spec.selector?.matchLabels ?? manifest.spec.selector;
        const found = pods.filter((one) => matches(podOf(one).metadata.labels, selector));
        assert.equal(found.length, 1, `${idOf(manifest)} finds ${found.map(idOf)}`);
        const names = podOf(found[0]).spec.containers.flatMap((container) => (container.ports ?? []).map((port) => port.name));
        const ports = [...(manifest.spec.ports ?? []).map((port) => port.targetPort),
          ...(manifest.spec.ingress ?? []).flatMap((rule) => rule.ports.map((port) => port.port))];
        for (const port of ports) assert.ok(names.includes(port), `${idOf(manifest)}: port ${port}`);
      }
      for (const manifest of ofKind(list, 'HorizontalPodAutoscaler')) {
        const target = list.find((one) => idOf(one) === `${manifest.spec.scaleTargetRef.kind}/${manifest.spec.scaleTargetRef.name}`);
        assert.ok(target, idOf(manifest));
        assert.equal(target.spec.replicas, undefined, 'replicas are the autoscaler\'s');
      }
      for (const manifest of ofKind(list, 'StatefulSet')) {
        assert.ok(list.some((one) => idOf(one) === `Service/${manifest.spec.serviceName}`), idOf(manifest));
      }
    });
    test(`${name}: pods are locked down`, () => {
      for (const manifest of withPods(list)) {
        const { spec } = podOf(manifest);
        assert.equal(spec.automountServiceAccountToken, false, idOf(manifest));
        assert.equal(spec.securityContext.runAsNonRoot, true, idOf(manifest));
        assert.equal(spec.securityContext.seccompProfile.type, 'RuntimeDefault', idOf(manifest));
        for (const container of spec.containers) {
          assert.deepEqual(container.securityContext,
            { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } }, idOf(manifest));
          assert.ok(container.resources.requests.cpu && container.resources.limits.memory, idOf(manifest));
          const mounts = (container.volumeMounts ?? []).map((mount) => mount.name);
          const volumes = [...(spec.volumes ?? []), ...(manifest.spec.volumeClaimTemplates ?? []).map((claim) => claim.metadata)].map((volume) => volume.name);
          assert.deepEqual(mounts.sort(), volumes.sort(), idOf(manifest));
          const names = (container.env ?? []).map((one) => one.name);
          assert.deepEqual(names, [...new Set(names)], `${idOf(manifest)}: a variable stands twice`);
        }
      }
    });
    test(`${name}: secrets are referenced, never written`, () => {
      for (const manifest of withPods(list)) {
        for (const variable of podOf(manifest).spec.containers.flatMap((container) => container.env ?? [])) {
          if (/KEY$|SECRET|PASSWORD|DATABASE_URL|REDIS_URL|JWKS/.test(variable.name) && !/^TLS_/.test(variable.name)) {
            assert.ok(variable.valueFrom?.secretKeyRef, `${idOf(manifest)}: ${variable.name}`);
          }
        }
      }
    });
  }
});

describe('words that the programs understand', { skip: bin ? false : 'MEDIDESK_BIN is not set' }, () => {
  // Also pod-made ones that other variables are put together from.
  const foreign = new Set(['POD_NAME']);
  const flags = {};
  const flagsOfProgram = (program) => flags[program] ??= Object.fromEntries(
    [...execFileSync(path.join(bin, program), ['--help'], { encoding: 'utf8', env: { PATH: process.env.PATH } })
      .matchAll(/^  --(\S+) \[(\S+)\]$/gm)].map(([, flag, variable]) => [variable, flag]));
  const programOf = (manifest, container) => container.command?.[0] ?? `medidesk-${container.name}`;

  test('every variable and flag of the chart is one of the program that gets it', () => {
    let seen = 0;
    for (const list of Object.values(manifests)) {
      for (const manifest of withPods(list).filter((one) => !one.metadata.name.includes('postgresql'))) {
        for (const container of podOf(manifest).spec.containers) {
          const program = programOf(manifest, container);
          const known = flagsOfProgram(program);
          for (const { name } of container.env ?? []) {
            // The command line's own tools read the same settings and take what they know.
            if (foreign.has(name) || (program === 'medidesk-cli' && name === 'TLS_CA')) continue;
            assert.ok(name in known, `${idOf(manifest)}: ${program} has no setting ${name}`);
            seen += 1;
          }
          for (const probe of [container.startupProbe, container.readinessProbe, container.livenessProbe]) {
            for (const word of probe?.exec?.command.slice(1) ?? []) {
              const flag = word.match(/^--([a-z_]+)=/)?.[1];
              if (flag) assert.ok(Object.values(flagsOfProgram('medidesk-cli')).includes(flag), word);
            }
          }
        }
      }
    }
    assert.ok(seen > 100);
  });

  test('the commands that probes, hooks and tests run exist', () => {
    const listed = execFileSync(path.join(bin, 'medidesk-cli'), ['--help'], { encoding: 'utf8' });
    assert.match(listed, /health/);
    assert.throws(() => execFileSync(path.join(bin, 'medidesk-store'), ['--migrate'], { env: {}, stdio: 'pipe' }),
      (error) => error.status === 2 && /database_url/.test(error.stderr));
  });
});

describe('an upgrade', () => {
  test('changes nothing that Kubernetes does not let change', () => {
    const fixed = (list) => Object.fromEntries(ofKind(list, 'Deployment', 'StatefulSet', 'Service', 'Job').map((manifest) => [idOf(manifest), {
      selector: manifest.kind === 'Job' ? undefined : manifest.spec.selector,
      serviceName: manifest.spec.serviceName,
      claims: manifest.spec.volumeClaimTemplates,
      policy: manifest.spec.podManagementPolicy,
      clusterIP: manifest.spec.clusterIP,
    }]));
    const later = { ...valueSets['cert-manager'], values: { ...valueSets['cert-manager'].values, image: { tag: '9.9.9' }, gateway: { replicas: 7, settings: { GATEWAY_NUMBERS: '3' } }, settings: { LOG_LEVEL: 'debug' } } };
    assert.deepEqual(fixed(render(later)), fixed(manifests['cert-manager']));
  });
  test('never runs two gateways of one name, and starts a pod of the others before it stops one', () => {
    for (const list of Object.values(manifests)) {
      for (const manifest of ofKind(list, 'Deployment')) {
        assert.deepEqual(manifest.spec.strategy.rollingUpdate, { maxUnavailable: 0, maxSurge: 1 });
        const env = Object.fromEntries(manifest.spec.template.spec.containers[0].env.map((one) => [one.name, one.value]));
        // A webhook call may take 25 s; a drain gets three quarters of DRAIN_TIME.
        assert.ok(parseInt(env.DRAIN_TIME, 10) * 0.75 > 25);
        assert.ok(manifest.spec.template.spec.terminationGracePeriodSeconds > parseInt(env.DRAIN_TIME, 10) + 5);
      }
      const owners = ofKind(list, 'StatefulSet').filter((manifest) => /gateway|all/.test(manifest.metadata.name));
      assert.equal(owners.length, 1);
      assert.equal(owners[0].spec.updateStrategy.type, 'RollingUpdate');
      assert.equal(owners[0].spec.podManagementPolicy ?? 'OrderedReady', 'OrderedReady');
    }
    assert.equal(ofKind(manifests.small, 'StatefulSet')[0].spec.replicas, 1);
  });
  test('migrates before the new pods, unless the database comes with the chart', () => {
    const job = ofKind(manifests.plain, 'Job')[0];
    assert.equal(job.metadata.annotations['helm.sh/hook'], 'pre-install,pre-upgrade');
    assert.deepEqual(job.spec.template.spec.containers[0].command, ['medidesk-store', '--migrate']);
    assert.equal(ofKind(manifests.trial, 'Job').length, 0);
    const names = (list) => list.filter((one) => one.name.includes('DATABASE_URL')).map((one) => one.name);
    const store = manifests['cert-manager'].find((one) => idOf(one) === 'Deployment/medidesk-store');
    assert.deepEqual(names(store.spec.template.spec.containers[0].env), ['DATABASE_URL'], 'the owner\'s login is the Job\'s alone');
  });
});

describe('the network policies', () => {
  test('draw the arrows of the design and no others', () => {
    const arrows = {};
    for (const manifest of ofKind(manifests.plain, 'NetworkPolicy')) {
      const from = manifest.metadata.labels['app.kubernetes.io/component'];
      arrows[from] = manifest.spec.egress.flatMap((rule) => {
        const ports = rule.ports.map((port) => port.port).join();
        return rule.to ? rule.to.map((peer) => `${peer.podSelector.matchLabels['app.kubernetes.io/component']}:${ports}`) : [`any:${ports}`];
      }).sort();
    }
    assert.deepEqual(arrows, {
      admin: ['any:53,53', 'assistant:7002', 'gateway:7001', 'store:7003'],
      assistant: ['any:443', 'any:53,53', 'store:7003'],
      gateway: ['any:443', 'any:53,53', 'assistant:7002', 'store:7003'],
      store: ['any:53,53', 'any:5432'],
    });
  });
  test('let in the callers and nobody else', () => {
    const callers = Object.fromEntries(ofKind(manifests.plain, 'NetworkPolicy').map((manifest) => [manifest.metadata.labels['app.kubernetes.io/component'],
      manifest.spec.ingress.filter((rule) => rule.ports[0].port === 'grpc').flatMap((rule) => rule.from.map((peer) => peer.podSelector.matchLabels['app.kubernetes.io/component'])).sort()]));
    assert.deepEqual(callers, { admin: [], assistant: ['admin', 'gateway', 'test'], gateway: ['admin', 'test'], store: ['admin', 'assistant', 'gateway', 'test'] });
  });
});

describe('values', () => {
  const refused = (values, text) => {
    const result = helm('template', 'x', chart, ...flagsOf({ values }));
    assert.notEqual(result.code, 0);
    assert.match(result.err, text);
  };
  test('that cannot work are refused with what to do', () => {
    refused({ webhook: { open: true } }, /database\.secret\.name/);
    refused({ ...valueSets.plain.values, webhook: {} }, /webhook\.secret\.name/);
    refused({ ...valueSets.plain.values, tls: { mode: 'secret' } }, /tls\.secrets/);
  });
  test('that are misspelt or of a wrong kind are refused', () => {
    const { values } = valueSets.plain;
    refused({ ...values, replicas: 3 }, /replicas/);
    refused({ ...values, store: { replicas: 'two' } }, /replicas/);
    refused({ ...values, mode: 'some' }, /mode/);
    refused({ ...values, fullnameOverride: 'clinic' }, /fullnameOverride/);
    refused({ ...values, settings: { log_level: 'debug' } }, /log_level|settings/);
    refused({ ...values, settings: { POOL_SIZE: 8 } }, /POOL_SIZE/);
  });
  test('are all named in the schema, and the defaults fit it', () => {
    const schema = JSON.parse(readFileSync(path.join(chart, 'values.schema.json'), 'utf8'));
    const values = parse(readFileSync(path.join(chart, 'values.yaml'), 'utf8'));
    assert.deepEqual(Object.keys(schema.properties).filter((name) => name !== 'global').sort(), Object.keys(values).sort());
  });
  test('a release by another name keeps certificates that say who a pod is', () => {
    const names = ofKind(render(valueSets.plain, 'prod'), 'Service').map((manifest) => manifest.metadata.name);
    for (const name of names) assert.match(name, /(^|-)medidesk-(admin|assistant|gateway|store)$/);
  });
  test('a certificate of the chart names the host that is dialled', () => {
    const secret = manifests.plain.find((one) => idOf(one) === 'Secret/medidesk-store-tls');
    const text = execFileSync('/usr/bin/openssl', ['x509', '-noout', '-ext', 'subjectAltName'], { input: Buffer.from(secret.data['tls.crt'], 'base64'), encoding: 'utf8' });
    for (const name of ['medidesk-store.hospital.svc', 'localhost', '127.0.0.1']) assert.ok(text.includes(name), text);
    const admin = manifests.plain.find((one) => idOf(one) === 'Deployment/medidesk-admin');
    assert.equal(admin.spec.template.spec.containers[0].env.find((one) => one.name === 'STORE_ADDRESS').value, 'medidesk-store.hospital.svc:7003');
  });
});

test('alert rules and dashboards go into the cluster as they are in the chart', () => {
  const list = manifests['cert-manager'];
  assert.deepEqual(ofKind(list, 'PrometheusRule')[0].spec, parse(readFileSync(path.join(chart, 'files/alerts.yaml'), 'utf8')));
  const maps = ofKind(list, 'ConfigMap');
  assert.ok(maps.length > 0);
  for (const map of maps) {
    const [[name, text]] = Object.entries(map.data);
    assert.deepEqual(JSON.parse(text), JSON.parse(readFileSync(path.join(chart, 'files/dashboards', name), 'utf8')));
  }
});
