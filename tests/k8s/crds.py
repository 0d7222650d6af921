"""Schemas of the custom resources in k8s/manifests, from their types' sources: unknown fields are errors, as with a strict API
server. Each is the part of the type that the manifests may use.
MPIJob: kubeflow/mpi-operator pkg/apis/kubeflow/v2beta1/types.go. NetworkAttachmentDefinition: network-attachment-definition-client
pkg/apis/k8s.cni.cncf.io/v1/types.go. SriovNetworkNodePolicy: sriov-network-operator api/v1. MachineHealthCheck, KubeadmConfigTemplate:
cluster-api api/core/v1beta2, api/bootstrap/kubeadm/v1beta2. NodeReadinessRule: node-readiness-controller api/v1alpha1."""


def an_object(required, **properties):
    return {"type": "object", "required": required, "additionalProperties": False, "properties": properties}


def a_list(of, least=1):
    return {"type": "array", "items": of, "minItems": least}


TEXT, FLAG = {"type": "string", "minLength": 1}, {"type": "boolean"}
COUNT = {"type": "integer", "minimum": 0}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
METADATA = an_object(["name"], name={"type": "string", "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", "maxLength": 253}, namespace=TEXT, labels=TEXTS,
                     annotations=TEXTS)
TAINT = an_object(["key", "effect"], key=TEXT, value={"type": "string"}, effect={"enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]})
SELECTOR = an_object([], matchLabels=TEXTS, matchExpressions={"type": "array"})
STATUS = {"enum": ["True", "False", "Unknown"]}
TEMPLATE = {"type": "object", "required": ["spec"]}  # a PodTemplateSpec: validated as one by Kubernetes' own schema


def kind(api_version, name, spec):
    return an_object(["apiVersion", "kind", "metadata", "spec"], apiVersion={"const": api_version}, kind={"const": name}, metadata=METADATA, spec=spec)


def replica(**replicas):
    return an_object(["replicas", "template"], replicas=replicas, restartPolicy={"enum": ["Never", "OnFailure", "Always", "ExitCode"]}, template=TEMPLATE)


SCHEMAS = {
    ("kubeflow.org/v2beta1", "MPIJob"): kind("kubeflow.org/v2beta1", "MPIJob", an_object(
        ["mpiReplicaSpecs"], slotsPerWorker={"type": "integer", "minimum": 1}, runLauncherAsWorker=FLAG, sshAuthMountPath={"type": "string", "pattern": "^/"},
        launcherCreationPolicy={"enum": ["AtStartup", "WaitForWorkersReady"]}, mpiImplementation={"enum": ["OpenMPI", "Intel", "MPICH"]},
        runPolicy=an_object([], cleanPodPolicy={"enum": ["None", "Running", "All"]}, ttlSecondsAfterFinished=COUNT, activeDeadlineSeconds=COUNT,
                            backoffLimit=COUNT, suspend=FLAG, managedBy=TEXT, schedulingPolicy={"type": "object"}),
        mpiReplicaSpecs=an_object(["Launcher", "Worker"], Launcher=replica(const=1), Worker=replica(type="integer", minimum=1)))),
    ("k8s.cni.cncf.io/v1", "NetworkAttachmentDefinition"): kind("k8s.cni.cncf.io/v1", "NetworkAttachmentDefinition", an_object(["config"], config=TEXT)),
    ("sriovnetwork.openshift.io/v1", "SriovNetworkNodePolicy"): kind("sriovnetwork.openshift.io/v1", "SriovNetworkNodePolicy", an_object(
        ["nicSelector", "nodeSelector", "numVfs", "resourceName"], resourceName={"type": "string", "pattern": "^[a-zA-Z0-9_]+$"}, nodeSelector=TEXTS,
        priority={"type": "integer", "minimum": 0, "maximum": 99}, mtu={"type": "integer", "minimum": 1}, numVfs=COUNT, linkType={"enum": ["eth", "ETH", "ib", "IB"]},
        nicSelector=an_object([], vendor=TEXT, deviceID=TEXT, pfNames=a_list(TEXT), rootDevices=a_list(TEXT), netFilter=TEXT),
        deviceType={"enum": ["netdevice", "vfio-pci"]}, isRdma=FLAG, needVhostNet=FLAG, eSwitchMode={"enum": ["legacy", "switchdev"]}, excludeTopology=FLAG,
        externallyManaged=FLAG)),
    ("cluster.x-k8s.io/v1beta2", "MachineHealthCheck"): kind("cluster.x-k8s.io/v1beta2", "MachineHealthCheck", an_object(
        ["clusterName", "selector"], clusterName=TEXT, selector=SELECTOR,
        checks=an_object([], nodeStartupTimeoutSeconds=COUNT,
                         unhealthyNodeConditions=a_list(an_object(["type", "status", "timeoutSeconds"], type=TEXT, status=STATUS, timeoutSeconds=COUNT)),
                         unhealthyMachineConditions={"type": "array"}),
        remediation=an_object([], triggerIf=an_object([], unhealthyLessThanOrEqualTo={"type": ["string", "integer"]},
                                                      unhealthyInRange={"type": "string", "pattern": r"^\[[0-9]+-[0-9]+\]$"}),
                              templateRef=an_object(["kind", "name", "apiVersion"], kind=TEXT, name=TEXT, apiVersion=TEXT)))),
    ("bootstrap.cluster.x-k8s.io/v1beta2", "KubeadmConfigTemplate"): kind("bootstrap.cluster.x-k8s.io/v1beta2", "KubeadmConfigTemplate", an_object(
        ["template"], template=an_object(["spec"], spec=an_object([], joinConfiguration=an_object([], nodeRegistration=an_object(
            [], name=TEXT, taints=a_list(TAINT, 0), kubeletExtraArgs=a_list(an_object(["name"], name=TEXT, value={"type": "string"})))))))),
    ("readiness.node.x-k8s.io/v1alpha1", "NodeReadinessRule"): kind("readiness.node.x-k8s.io/v1alpha1", "NodeReadinessRule", an_object(
        ["conditions", "enforcementMode", "taint", "nodeSelector"],
        conditions={**a_list(an_object(["type", "requiredStatus"], type=TEXT, requiredStatus=STATUS, defaultStatus=STATUS)), "maxItems": 32},
        conditionPolicy={"enum": ["allOf", "anyOf"]}, enforcementMode={"enum": ["bootstrap-only", "continuous"]}, nodeSelector=SELECTOR, dryRun=FLAG,
        taint=an_object(["key", "effect"], key={"type": "string", "pattern": r"^readiness\.k8s\.io/"}, value={"type": "string"}, effect=TAINT["properties"]["effect"]))),
}
