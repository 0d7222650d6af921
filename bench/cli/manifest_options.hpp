// What `manifest` is told beside the command that it makes a manifest of.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "bench/cli/commands.hpp"
#include "k8s/manifests/manifest.hpp"
#include "reports/record/exit_code.hpp"

namespace mlc {

struct ManifestOptions {
  ManifestRequest request;
  std::string kind, deadline = "1h", launcher = "srun";

  void add_to(CLI::App& manifest);
  bool given(const char* option) const { return manifest_->count(option) > 0; }
  // With the name, the words and the deadline for `command`. Throws UsageError.
  ManifestRequest request_for(const CLI::App& command) const;

 private:
  const CLI::App* manifest_ = nullptr;
};

// A command's options as they were given.
std::vector<std::string> words_of(const CLI::App& command);

// A script for sbatch. `apart`: a process that dies ends no other. Throws UsageError: options that are of
// Pods.
ExitCode print_batch_script(const ManifestOptions& options, const ManifestRequest& request, bool apart);

// `manifest fleet`
void add_fleet_manifest(CLI::App& manifest, const std::shared_ptr<ManifestOptions>& options,
                        Invocation& invocation);

}  // namespace mlc
