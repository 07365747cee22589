//! The Helm chart, rendered by the real Helm with each of its sets of values.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use chancery_tests::{binary, deploying, helm};
use serde_json::{Value, json};

use super::{ask, deploy, expect_settings, run};

/// The oldest Kubernetes that the chart is for, and the newest whose schemas there are.
const KUBERNETES: [&str; 2] = ["1.30.0", "1.37.0"];

fn chart(command: &str) -> Command {
    let mut helm = Command::new(helm());
    match command {
        "lint" => helm.args(["lint", "--strict"]),
        _ => helm.args([command, "chancery", "--namespace", "audit"]),
    };
    helm.arg(deploy("helm/chancery"));
    helm
}

/// The manifests of a set of values for the newest Kubernetes. Made once: each making starts Helm and Python.
fn rendered(values: &'static str) -> Vec<Value> {
    static MADE: Mutex<BTreeMap<&str, Vec<Value>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.entry(values).or_insert_with(|| render(values, KUBERNETES[1])).clone()
}

/// The manifests of a set of values, checked against the schemas of a version of Kubernetes.
fn render(values: &str, kubernetes: &str) -> Vec<Value> {
    let values = deploy(&format!("helm/chancery/ci/{values}-values.yaml"));
    let rendered = run(chart("template").args(["--kube-version", kubernetes, "--values"]).arg(values), b"");
    let mut check = Command::new(deploying());
    check.arg("-c").arg(include_str!("manifests.py")).arg(kubernetes);
    serde_json::from_slice(&run(&mut check, &rendered)).unwrap()
}

fn sets() -> [&'static str; 4] {
    ["default", "existing-secrets", "autoscaling", "pools"]
}

fn of<'a>(manifests: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    manifests.iter().filter(move |manifest| manifest["kind"] == kind)
}

fn name(manifest: &Value) -> &str {
    manifest["metadata"]["name"].as_str().unwrap()
}

/// Whether a selector's labels are all among an object's.
fn selects(selector: &Value, labels: &Value) -> bool {
    selector.as_object().is_some_and(|wanted| !wanted.is_empty() && wanted.iter().all(|(key, is)| labels[key] == *is))
}

/// The names of those pods that a selector selects.
fn chosen<'a>(pods: &[(&'a str, &Value)], selector: &Value) -> Vec<&'a str> {
    pods.iter().filter(|(_, labels)| selects(selector, labels)).map(|(name, _)| *name).collect()
}

/// The variables of a Deployment's pods that have their value in the manifests.
fn environment(manifests: &[Value], deployment: &Value) -> BTreeMap<String, String> {
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let mut environment = BTreeMap::new();
    for source in container["envFrom"].as_array().unwrap() {
        let map = of(manifests, "ConfigMap").find(|map| map["metadata"]["name"] == source["configMapRef"]["name"]);
        for (variable, value) in map.unwrap()["data"].as_object().unwrap() {
            environment.insert(variable.clone(), value.as_str().unwrap().to_owned());
        }
    }
    for variable in container["env"].as_array().unwrap() {
        if let Some(value) = variable["value"].as_str() {
            environment.insert(variable["name"].as_str().unwrap().to_owned(), value.to_owned());
        }
    }
    environment
}

#[test]
fn every_set_of_values_is_what_helm_and_kubernetes_accept() {
    for values in sets() {
        for kubernetes in KUBERNETES {
            let file = deploy(&format!("helm/chancery/ci/{values}-values.yaml"));
            run(chart("lint").args(["--kube-version", kubernetes, "--values"]).arg(file), b"");
            let manifests = render(values, kubernetes);
            assert!(of(&manifests, "Deployment").count() > 0, "{values}");
        }
    }
    let pools = rendered("pools");
    let deployments: Vec<_> = of(&pools, "Deployment").map(name).collect();
    assert_eq!(deployments, ["chancery-gateway", "chancery-sealer", "chancery-worker"]);
}

#[test]
fn pods_are_restricted_probed_and_drained() {
    for values in sets() {
        let manifests = rendered(values);
        for deployment in of(&manifests, "Deployment") {
            let spec = &deployment["spec"];
            assert_eq!(spec["strategy"]["rollingUpdate"]["maxUnavailable"], 0);
            let pod = &spec["template"]["spec"];
            let container = &pod["containers"][0];
            for (probe, path) in
                [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")]
            {
                assert_eq!(container[probe]["httpGet"]["path"], path, "{values}");
                assert_eq!(container[probe]["httpGet"]["port"], container["ports"][0]["name"]);
            }
            let before = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
            assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() >= before + 30);
            assert!(container["resources"]["requests"]["cpu"].is_string());
            assert!(container["resources"]["limits"]["memory"].is_string());
            assert!(pod["topologySpreadConstraints"].is_array() && pod["affinity"]["podAntiAffinity"].is_object());
        }
        let templates = of(&manifests, "Deployment").map(|deployment| &deployment["spec"]["template"]["spec"]);
        let pods = templates.chain(of(&manifests, "Pod").map(|pod| &pod["spec"]));
        for pod in pods {
            // Kubernetes' own profile `restricted`, and a root file system that cannot be written.
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
            assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
            assert_eq!(pod["enableServiceLinks"], false);
            for container in pod["containers"].as_array().unwrap() {
                let security = &container["securityContext"];
                assert_eq!(security["allowPrivilegeEscalation"], false);
                assert_eq!(security["readOnlyRootFilesystem"], true);
                assert_eq!(security["capabilities"]["drop"][0], "ALL");
            }
        }
    }
}

#[test]
fn what_selects_pods_selects_those_it_means() {
    for values in sets() {
        let manifests = rendered(values);
        let pods: Vec<_> = of(&manifests, "Deployment")
            .map(|deployment| (name(deployment), &deployment["spec"]["template"]["metadata"]["labels"]))
            .collect();
        for deployment in of(&manifests, "Deployment") {
            assert_eq!(chosen(&pods, &deployment["spec"]["selector"]["matchLabels"]), [name(deployment)], "{values}");
        }
        for service in of(&manifests, "Service") {
            let all = name(service).ends_with("-pods");
            let expected: Vec<_> = pods
                .iter()
                .filter(|(_, labels)| all || labels["chancery/gateway"] == "true")
                .map(|(name, _)| *name)
                .collect();
            assert_eq!(chosen(&pods, &service["spec"]["selector"]), expected, "{values}");
            for pod in of(&manifests, "Pod") {
                assert!(
                    !selects(&service["spec"]["selector"], &pod["metadata"]["labels"]),
                    "requests reach the test pod"
                );
            }
        }
        for policy in of(&manifests, "NetworkPolicy") {
            assert_eq!(chosen(&pods, &policy["spec"]["podSelector"]["matchLabels"]).len(), pods.len(), "{values}");
        }
        for monitor in of(&manifests, "ServiceMonitor") {
            let selector = &monitor["spec"]["selector"]["matchLabels"];
            let watched: Vec<_> = of(&manifests, "Service")
                .filter(|service| selects(selector, &service["metadata"]["labels"]))
                .map(name)
                .collect();
            assert_eq!(watched, ["chancery-pods"]);
        }
    }
}

#[test]
fn a_disruption_budget_lets_every_node_be_drained() {
    for values in sets() {
        let manifests = rendered(values);
        let scaled: BTreeMap<&str, u64> = of(&manifests, "HorizontalPodAutoscaler")
            .map(|hpa| {
                (hpa["spec"]["scaleTargetRef"]["name"].as_str().unwrap(), hpa["spec"]["minReplicas"].as_u64().unwrap())
            })
            .collect();
        for deployment in of(&manifests, "Deployment") {
            let least = scaled.get(name(deployment)).copied();
            assert_eq!(least.is_some(), deployment["spec"]["replicas"].is_null(), "either it is scaled or it is not");
            let replicas = least.or_else(|| deployment["spec"]["replicas"].as_u64()).unwrap();
            let budget = of(&manifests, "PodDisruptionBudget").find(|budget| name(budget) == name(deployment));
            assert_eq!(budget.is_some(), replicas > 1, "{values} {}", name(deployment));
            let Some(budget) = budget else { continue };
            assert_eq!(budget["spec"]["selector"], deployment["spec"]["selector"]);
            let takes_some = match budget["spec"]["minAvailable"].as_u64() {
                Some(kept) => kept < replicas,
                None => budget["spec"]["maxUnavailable"].as_u64().is_some_and(|taken| taken > 0),
            };
            assert!(takes_some, "{values} {}", name(deployment));
        }
    }
}

#[test]
fn credentials_are_in_secrets_and_nowhere_else() {
    let manifests = rendered("default");
    let beside: Vec<_> = manifests.iter().filter(|manifest| manifest["kind"] != "Secret").collect();
    assert_eq!(of(&manifests, "Secret").count(), 1);
    assert!(!serde_json::to_string(&beside).unwrap().contains("example@"), "the password is beside the Secret");
    for values in ["existing-secrets", "autoscaling", "pools"] {
        assert_eq!(of(&rendered(values), "Secret").count(), 0, "{values}");
    }
    let given = rendered("existing-secrets");
    let pod = &of(&given, "Deployment").next().unwrap()["spec"]["template"]["spec"];
    let variables = pod["containers"][0]["env"].as_array().unwrap();
    let database = variables.iter().find(|variable| variable["name"] == "CHANCERY_STATE_POSTGRES").unwrap();
    assert_eq!(database["valueFrom"]["secretKeyRef"], json!({"name": "chancery-credentials", "key": "uri"}));
    let volumes = pod["volumes"].as_array().unwrap();
    assert!(volumes.iter().any(|volume| volume["secret"]["secretName"] == "kafka-cluster-ca"));
}

#[test]
fn the_binary_accepts_the_environment_that_pods_get() {
    for values in sets() {
        let manifests = rendered(values);
        expect_settings(values, &serde_json::to_string(&manifests).unwrap());
        for deployment in of(&manifests, "Deployment") {
            let environment = environment(&manifests, deployment);
            let mut print = Command::new(binary());
            print.args(["config", "print", "--output", "json"]).env("CHANCERY_CONFIG", "/dev/null");
            // Comes from a Secret that somebody else makes.
            print.env("CHANCERY_STATE_POSTGRES", "postgres://chancery@postgres/chancery").envs(environment);
            run(&mut print, b"");
        }
    }
}

#[test]
fn values_that_cannot_be_meant_are_refused() {
    let default = deploy("helm/chancery/ci/default-values.yaml");
    let nothing = ask(chart("template").args(["--kube-version", KUBERNETES[1]]), b"");
    let complaint = String::from_utf8_lossy(&nothing.stderr).into_owned();
    for missing in ["/lake/url", "/kafka/bootstrapServers", "/credentials"] {
        assert!(complaint.contains(missing), "{complaint}");
    }
    for (set, why) in [
        ("replicaCount=0", "replicaCount"),
        ("replicacount=3", "replicacount"),
        ("kafka.bootstrapServers=kafka", "bootstrapServers"),
        ("kafka.securityProtocol=tls", "securityProtocol"),
        ("lake.url=/var/lib/lake", "/lake/url"),
        ("log.partitions=twelve", "/log/partitions"),
        ("credentials.postgres=mysql://host/db", "/credentials/postgres"),
        ("settings.query\\.max-rows=5", "query.max-rows"),
        ("settings.setup\\.token=chy_a_b", "setup.token"),
        ("settings.log\\.engine=sqlite", "log.engine"),
        ("podAntiAffinity=yes", "podAntiAffinity"),
        ("ingress.enabled=true", "/ingress/hosts"),
        ("serviceMonitor.enabled=true", "/serviceMonitor/token/existingSecret"),
        ("shutdown.preStopSeconds=40", "graceSeconds"),
        ("podDisruptionBudget.minAvailable=3", "would block every drain"),
        ("pools.web.roles={gateway}", "no pool has the role projector"),
        ("pools.web.roles={gateways}", "/pools/web"),
        ("autoscaling.enabled=true,autoscaling.minReplicas=20", "more than maxReplicas"),
    ] {
        let mut template = chart("template");
        template.args(["--kube-version", KUBERNETES[1], "--set", set, "--values"]).arg(&default);
        let refused = ask(&mut template, b"");
        let complaint = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && complaint.contains(why), "{set}: {complaint}");
    }
}
