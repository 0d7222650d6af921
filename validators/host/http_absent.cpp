#include "validators/host/http.hpp"

namespace mlc {

std::string transport_absent() { return MLC_WHY_NO_CURL; }

std::unique_ptr<Transport> make_transport(const Endpoint&, double) {
  throw std::runtime_error("no HTTP client: " + transport_absent());
}

}  // namespace mlc
