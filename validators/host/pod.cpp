#include "validators/host/pod.hpp"

#include <nlohmann/json.hpp>

#include "reports/record/json_reader.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// All annotations of an object together: TotalAnnotationSizeLimitB of apimachinery.
constexpr std::size_t largest_annotation = 256 << 10;

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto at = text.find(separator);
    std::string_view part = text.substr(0, at);
    while (part.starts_with(' '))
      part.remove_prefix(1);
    while (part.ends_with(' '))
      part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    text = at == text.npos ? std::string_view{} : text.substr(at + 1);
  }
  return parts;
}

// strconv.Quote of Go, as far as an annotation can contain it.
std::optional<std::string> go_unquote(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::nullopt;
  text = text.substr(1, text.size() - 2);
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') return std::nullopt;
    if (text[i] != '\\') {
      plain += text[i];
      continue;
    }
    if (++i >= text.size()) return std::nullopt;
    switch (text[i]) {
      case 'n':
        plain += '\n';
        break;
      case 't':
        plain += '\t';
        break;
      case 'r':
        plain += '\r';
        break;
      case '"':
        plain += '"';
        break;
      case '\\':
        plain += '\\';
        break;
      // \xNN, \uNNNN and the like: no name, address or number has them.
      default:
        plain += '?';
        break;
    }
  }
  return plain;
}

}  // namespace

Read<std::vector<Attachment>> parse_network_status(const std::string& text) {
  using Attachments = std::vector<Attachment>;
  const auto read = read_json_if(text, {.bytes = largest_annotation});
  if (!read) return Read<Attachments>::unreadable("is no JSON: '" + printable(text, 40) + "'");
  const auto& document = *read;
  if (!document.is_array()) return Read<Attachments>::unreadable("is no JSON list");
  Attachments attachments;
  try {
    for (const auto& entry : document) {
      Attachment one;
      one.network = entry.value("name", "");
      one.interface = entry.value("interface", "");
      one.mac = entry.value("mac", "");
      one.ips = entry.value("ips", std::vector<std::string>());
      one.is_default = entry.value("default", false);
      if (const auto info = entry.find("device-info"); info != entry.end()) {
        const auto pci = info->find("pci");
        if (pci != info->end()) {
          one.pci = pci->value("pci-address", "");
          one.rdma = split(pci->value("rdma-device", ""), ',');
        }
      }
      attachments.push_back(std::move(one));
    }
  } catch (const nlohmann::json::exception& error) {
    return Read<Attachments>::unreadable(std::string("is not as Multus writes it: ") +
                                         printable(error.what(), 80));
  }
  return Read<Attachments>::of(std::move(attachments));
}

Read<std::string> parse_annotation(const std::string& file, const std::string& annotation) {
  for (const auto& line : split(file, '\n')) {
    if (!line.starts_with(annotation + "=")) continue;
    const auto value = go_unquote(std::string_view(line).substr(annotation.size() + 1));
    return value ? Read<std::string>::of(*value)
                 : Read<std::string>::unreadable("the value of " + annotation + " is not quoted");
  }
  return Read<std::string>::not_there("no annotation " + annotation);
}

Read<std::vector<Attachment>> read_network_status(const FileTree& files, const std::string& podinfo) {
  const std::string key = "k8s.v1.cni.cncf.io/network-status";
  const auto own = files.text(podinfo + "/network-status", 1 << 20);
  if (own) return parse_network_status(*own);
  const auto all = files.text(podinfo + "/annotations", 1 << 20);
  if (!all) return Read<std::vector<Attachment>>::unreadable(podinfo + "/network-status: " + own.why);
  const auto value = parse_annotation(*all, key);
  return value ? parse_network_status(*value)
               : Read<std::vector<Attachment>>::unreadable(podinfo + "/annotations: " + value.why);
}

std::map<std::string, std::vector<std::string>> device_plugin_devices(
    const std::map<std::string, std::string>& environment) {
  std::map<std::string, std::vector<std::string>> devices;
  for (const auto& [name, value] : environment)
    if (name.starts_with("PCIDEVICE_") && !name.ends_with("_INFO")) devices[name] = split(value, ',');
  return devices;
}

}  // namespace mlc
