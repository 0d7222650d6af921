#include <cerrno>

#include "validators/host/verbs.hpp"

namespace mlc::rdma {

std::string verbs_absent() { return MLC_WHY_NO_VERBS; }
std::unique_ptr<Verbs> host_verbs() { throw VerbsError(MLC_WHY_NO_VERBS, ENOSYS); }

}  // namespace mlc::rdma
