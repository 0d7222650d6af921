#include "reports/record/text.hpp"
#include "validators/checks/check.hpp"
#include "validators/checks/counters.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

constexpr double correctable_per_minute = 100;  // below this a link heals itself without anyone noticing

// The "TOTAL_ERR_FATAL 0" line of aer_dev_fatal.
Read<std::uint64_t> total(const Read<std::string>& file) {
  if (!file) return Read<std::uint64_t>::no(file);
  const auto at = file->find("TOTAL_ERR_");
  const auto space = at == std::string::npos ? at : file->find(' ', at);
  if (space != std::string::npos)
    if (const auto number =
            whole_number(std::string_view(*file).substr(space + 1, file->find('\n', space) - space - 1)))
      return Read<std::uint64_t>::of(*number);
  return Read<std::uint64_t>::unreadable("has no TOTAL_ERR line");
}

struct Errors {
  std::string subject, address;
  CounterChange fatal, nonfatal, correctable;
};

void judge(CheckFindings& findings, const Errors& errors, double seconds) {
  const std::string source =
      "/sys/bus/pci/devices/" + errors.address + "/aer_dev_{fatal,nonfatal,correctable}";
  const std::string remedy = "suspect the slot, riser or cable of " + errors.address +
                             ": dmesg | grep -i aer, reseat the card, replace it if errors return";
  for (const auto* counter : {&errors.fatal, &errors.nonfatal, &errors.correctable})
    if (!counter->delta()) {
      findings.unknown(errors.subject, counter->path + ": " + counter->why_unknown(), "no new error", source,
                       "AER must be enabled in firmware (and pci=noaer absent from /proc/cmdline); read "
                       "twice on the node itself");
      return;
    }
  const auto fatal = *errors.fatal.delta() + *errors.nonfatal.delta();
  const double rate = static_cast<double>(*errors.correctable.delta()) / seconds * 60;
  if (fatal > 0)
    findings.fail(errors.subject,
                  std::to_string(fatal) + " uncorrectable errors within " + shortest(seconds) + " s", "none",
                  source, remedy);
  else if (rate > correctable_per_minute)
    findings.warn(errors.subject, fixed(rate, 0) + " corrected errors a minute",
                  "at most " + fixed(correctable_per_minute, 0), source, remedy);
  else if (*errors.fatal.after + *errors.nonfatal.after > 0)
    findings.warn(errors.subject,
                  std::to_string(*errors.fatal.after + *errors.nonfatal.after) +
                      " uncorrectable errors since boot, none new",
                  "none", source, remedy);
  else
    findings.pass(errors.subject, "no error", "none", source);
}

}  // namespace

extern const Check pci_errors{
    .name = "pci.errors",
    .summary = "no PCIe (AER) error appears on a NIC or GPU",
    .why =
        "Uncorrectable PCIe errors drop a GPU or NIC from the bus in the middle of a run; a flood of "
        "corrected ones slows every transfer by replays.",
    .reads = "/sys/bus/pci/devices/*/aer_dev_{fatal,nonfatal,correctable}, twice",
    .fix = "Reseat the card, then replace the riser or card.",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("pci.errors");
          std::vector<std::pair<std::string, std::string>> devices;
          if (const auto& pci = host.pci_devices())
            for (const auto& device : *pci)
              if (device.gpu()) devices.emplace_back("GPU " + device.address, device.address);
          if (const auto rails = rails_or_say(host, policy, findings))
            for (const auto& nic : rail_nics(host, *rails))
              devices.emplace_back(nic.subject, nic.pci);
          if (devices.empty()) return findings.done();
          const double seconds =
              expectation(policy) ? expectation(policy)->counters_over_s : NodeExpectation{}.counters_over_s;
          const auto read = [](const FileTree& files, const std::string& address, const char* kind) {
            return total(files.text("/sys/bus/pci/devices/" + address + "/aer_dev_" + kind));
          };
          std::vector<Errors> all;
          for (const auto& [subject, address] : devices)
            all.push_back({subject,
                           address,
                           {"aer_dev_fatal", read(host.files(), address, "fatal"), {}},
                           {"aer_dev_nonfatal", read(host.files(), address, "nonfatal"), {}},
                           {"aer_dev_correctable", read(host.files(), address, "correctable"), {}}});
          const auto later = host.files_after(seconds);
          for (auto& errors : all) {
            for (auto* counter : {&errors.fatal, &errors.nonfatal, &errors.correctable})
              counter->after =
                  later ? total(later->text("/sys/bus/pci/devices/" + errors.address + "/" + counter->path))
                        : Read<std::uint64_t>::unreadable("there is no second reading (ROOT/later)");
            judge(findings, errors, seconds);
          }
          return findings.done();
        },
};

}  // namespace mlc::checks
