// Kubernetes objects that run a collective over several nodes. Pure.
#pragma once

#include <string>
#include <vector>

#include "k8s/manifests/objects.hpp"

namespace mlc {

struct ManifestRequest {
  std::string name = "mlc-bench", name_space = "mlc-bench", image = "mlc-bench:0.1.0";
  std::vector<std::string> command;  // "allreduce", "-b", "1M": what each rank runs
  int nodes = 2;
  int gpus = 8;                    // of each node, one rank each; 0: one host rank a node
  int rails = 4;                   // VFs of each node, as resources mlc.io/rail0, ... and networks rail0, ...
  std::string interface = "eth0";  // that the Pods' DNS names lead to, for launch and bootstrap
  std::string queue;               // Kueue's; empty: none
  bool root = false;         // where the nodes' container runtime limits locked memory, only root can pin
  double deadline_s = 3600;  // of the Job as a whole
};

// Kubeflow's MPIJob v2beta1. The launcher starts when every worker's sshd answers.
Objects mpi_job(const ManifestRequest& request);

// Without an operator: a headless Service, and an Indexed Job of which index 0 starts the ranks on all; they
// end with it (Kubernetes 1.31 on; before that, the others at the deadline). The keys for ssh are a Secret
// that has to be there: NAME-ssh with id_rsa, id_rsa.pub and authorized_keys.
Objects indexed_job(const ManifestRequest& request);

}  // namespace mlc
