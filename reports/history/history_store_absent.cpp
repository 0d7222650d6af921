#include <stdexcept>

#include "reports/history/history_store.hpp"

namespace mlc {

namespace {
[[noreturn]] void absent() { throw std::runtime_error("no history store: " MLC_WHY_NO_SQLITE); }
}  // namespace

struct HistoryStore::Connection {};

bool HistoryStore::built_in() { return false; }
HistoryStore::HistoryStore(const std::filesystem::path&, Mode) { absent(); }
HistoryStore::~HistoryStore() = default;
HistoryStore::HistoryStore(HistoryStore&&) noexcept = default;
HistoryStore& HistoryStore::operator=(HistoryStore&&) noexcept = default;
std::size_t HistoryStore::add(std::span<const HistoryRun>) { absent(); }
void HistoryStore::read(History&) const { absent(); }

}  // namespace mlc
