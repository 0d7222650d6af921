// libibverbs, loaded when it is first needed: one image serves RDMA nodes and laptops, and a program that
// only wants allreduce starts where rdma-core is not installed. Built against its headers, for the structures
// and for the data path, which libibverbs keeps in inline functions.
#include <fcntl.h>
#include <infiniband/verbs.h>
#include <poll.h>

#include <cerrno>
#include <cstring>
#include <source_location>

#include "validators/host/shared_library.hpp"
#include "validators/host/verbs.hpp"

namespace mlc::rdma {

namespace {

struct Library {
  SharedLibrary so{"libibverbs.so.1"};
  template <class Function>
  Function* find(const char* symbol) const {
    return so.find<Function>(symbol);
  }
#define MLC_VERB(name) decltype(::name)* name = find<decltype(::name)>(#name)
  MLC_VERB(ibv_get_device_list);
  MLC_VERB(ibv_free_device_list);
  MLC_VERB(ibv_get_device_name);
  MLC_VERB(ibv_open_device);
  MLC_VERB(ibv_close_device);
  MLC_VERB(ibv_query_device);
  MLC_VERB(ibv_query_gid);
  MLC_VERB(ibv_alloc_pd);
  MLC_VERB(ibv_dealloc_pd);
  MLC_VERB(ibv_dereg_mr);
  MLC_VERB(ibv_reg_dmabuf_mr);
  MLC_VERB(ibv_create_comp_channel);
  MLC_VERB(ibv_destroy_comp_channel);
  MLC_VERB(ibv_get_cq_event);
  MLC_VERB(ibv_ack_cq_events);
  MLC_VERB(ibv_create_cq);
  MLC_VERB(ibv_destroy_cq);
  MLC_VERB(ibv_create_qp);
  MLC_VERB(ibv_modify_qp);
  MLC_VERB(ibv_destroy_qp);
  MLC_VERB(ibv_wc_status_str);
#undef MLC_VERB
  // The headers make macros of these two.
  using QueryPort = int(ibv_context*, std::uint8_t, _compat_ibv_port_attr*);
  using Register = ibv_mr*(ibv_pd*, void*, std::size_t, int);
  using RegisterRelaxed = ibv_mr*(ibv_pd*, void*, std::size_t, std::uint64_t, unsigned);
  QueryPort* query_port = find<QueryPort>("ibv_query_port");
  Register* register_memory = find<Register>("ibv_reg_mr");
  RegisterRelaxed* register_relaxed = find<RegisterRelaxed>("ibv_reg_mr_iova2");  // rdma-core 28
  bool complete() const {
    return ibv_get_device_list && ibv_free_device_list && ibv_get_device_name && ibv_open_device &&
           ibv_close_device && ibv_query_device && ibv_query_gid && ibv_alloc_pd && ibv_dealloc_pd &&
           ibv_dereg_mr && ibv_create_comp_channel && ibv_destroy_comp_channel && ibv_get_cq_event &&
           ibv_ack_cq_events && ibv_create_cq && ibv_destroy_cq && ibv_create_qp && ibv_modify_qp &&
           ibv_destroy_qp && ibv_wc_status_str && query_port && register_memory;
  }
};

const Library& library() {
  static const Library loaded;
  return loaded;
}

// Verbs return 0, an errno, or -1 with errno set.
void check(int code, const char* verb, std::source_location at = std::source_location::current()) {
  if (code == 0) return;
  const int error = code > 0 ? code : errno;
  throw VerbsError(std::string(verb) + ": " + std::strerror(error) + " (" + at.file_name() + ":" +
                       std::to_string(at.line()) + ")",
                   error);
}

template <class T>
T* check(T* handle, const char* verb, std::source_location at = std::source_location::current()) {
  if (handle == nullptr) check(errno != 0 ? errno : EIO, verb, at);
  return handle;
}

template <auto Destroy>
struct Closer {
  template <class T>
  void operator()(T* handle) const noexcept {
    (void)(library().*Destroy)(handle);
  }
};
using Context = std::unique_ptr<ibv_context, Closer<&Library::ibv_close_device>>;
using Domain = std::unique_ptr<ibv_pd, Closer<&Library::ibv_dealloc_pd>>;
using Registration = std::unique_ptr<ibv_mr, Closer<&Library::ibv_dereg_mr>>;
using Channel = std::unique_ptr<ibv_comp_channel, Closer<&Library::ibv_destroy_comp_channel>>;
using Queue = std::unique_ptr<ibv_cq, Closer<&Library::ibv_destroy_cq>>;
using Pair = std::unique_ptr<ibv_qp, Closer<&Library::ibv_destroy_qp>>;

int bytes_of(ibv_mtu mtu) { return mtu >= IBV_MTU_256 && mtu <= IBV_MTU_4096 ? 128 << mtu : 0; }

ibv_mtu mtu_of(int bytes) {
  int mtu = IBV_MTU_256;
  while (mtu < IBV_MTU_4096 && 128 << (mtu + 1) <= bytes)
    ++mtu;
  return static_cast<ibv_mtu>(mtu);
}

class HostRegion final : public Region {
 public:
  explicit HostRegion(ibv_mr* mr) : registration_(mr) { local_key = mr->lkey, remote_key = mr->rkey; }

 private:
  Registration registration_;
};

class HostCompletions final : public Completions {
 public:
  HostCompletions(ibv_context* context, int entries)
      : channel_(check(library().ibv_create_comp_channel(context), "ibv_create_comp_channel")),
        queue_(
            check(library().ibv_create_cq(context, entries, nullptr, channel_.get(), 0), "ibv_create_cq")) {
    check(::fcntl(channel_->fd, F_SETFL, O_NONBLOCK), "fcntl");
  }
  ~HostCompletions() override {
    if (events_ > 0) library().ibv_ack_cq_events(queue_.get(), events_);
  }

  std::size_t poll(std::span<Completion> done) override {
    std::array<ibv_wc, 64> found;
    const int count =
        ibv_poll_cq(queue_.get(), static_cast<int>(std::min(done.size(), found.size())), found.data());
    if (count < 0) check(EIO, "ibv_poll_cq");
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i)
      done[i] = {found[i].wr_id, found[i].status, (found[i].opcode & IBV_WC_RECV) != 0, found[i].byte_len};
    return static_cast<std::size_t>(count);
  }

  // Armed first and looked at by the caller's next poll, so that nothing which completes in between is slept
  // through: a wait right after arming returns at once and the caller polls again.
  void wait(int milliseconds) override {
    if (!armed_) {
      check(ibv_req_notify_cq(queue_.get(), 0), "ibv_req_notify_cq");
      armed_ = true;
      return;
    }
    pollfd waiting{channel_->fd, POLLIN, 0};
    if (::poll(&waiting, 1, milliseconds) <= 0) return;
    ibv_cq* queue = nullptr;
    void* context = nullptr;
    if (library().ibv_get_cq_event(channel_.get(), &queue, &context) == 0) ++events_;
    armed_ = false;
  }

  ibv_cq* get() const { return queue_.get(); }

 private:
  Channel channel_;
  Queue queue_;
  bool armed_ = false;
  unsigned events_ = 0;
};

class HostPair final : public QueuePair {
 public:
  HostPair(ibv_pd* domain, ibv_cq* queue, const PairSettings& settings) {
    ibv_qp_init_attr wanted{};
    wanted.send_cq = wanted.recv_cq = queue;
    wanted.cap = {.max_send_wr = static_cast<std::uint32_t>(settings.depth),
                  .max_recv_wr = static_cast<std::uint32_t>(settings.receives),
                  .max_send_sge = 1,
                  .max_recv_sge = 1,
                  .max_inline_data = settings.inline_bytes};
    wanted.qp_type = IBV_QPT_RC;
    pair_.reset(check(library().ibv_create_qp(domain, &wanted), "ibv_create_qp"));
    for (std::size_t i = 0; i < most_in_chain; ++i) {
      requests_[i].sg_list = &pieces_[i];
      requests_[i].num_sge = 1;
    }
  }

  std::uint32_t number() const override { return pair_->qp_num; }

  void to_init() override {
    ibv_qp_attr to{};
    to.qp_state = IBV_QPS_INIT;
    to.port_num = 1;
    to.qp_access_flags = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ;
    check(library().ibv_modify_qp(pair_.get(), &to,
                                  IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS),
          "ibv_modify_qp to INIT");
  }

  void to_ready_to_receive(const PathTo& path) override {
    ibv_qp_attr to{};
    to.qp_state = IBV_QPS_RTR;
    to.path_mtu = mtu_of(path.mtu);
    to.dest_qp_num = path.number;
    to.rq_psn = path.sequence;
    to.max_dest_rd_atomic = static_cast<std::uint8_t>(path.reads);
    to.min_rnr_timer = 12;  // 0.64 ms, as perftest and NCCL have it
    to.ah_attr.port_num = 1;
    to.ah_attr.dlid = path.lid;
    to.ah_attr.is_global = 1;
    std::memcpy(to.ah_attr.grh.dgid.raw, path.gid.data(), path.gid.size());
    to.ah_attr.grh.sgid_index = static_cast<std::uint8_t>(path.gid_index);
    to.ah_attr.grh.hop_limit = 255;  // rails may be routed
    to.ah_attr.grh.flow_label = path.flow_label & 0xfffff;
    to.ah_attr.grh.traffic_class = static_cast<std::uint8_t>(path.traffic_class);
    check(library().ibv_modify_qp(pair_.get(), &to,
                                  IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
                                      IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER),
          "ibv_modify_qp to RTR");
  }

  void to_ready_to_send(std::uint32_t first_sequence, int reads) override {
    ibv_qp_attr to{};
    to.qp_state = IBV_QPS_RTS;
    to.timeout = 14;  // 4.096 us x 2^14 = 67 ms, as perftest has it
    to.retry_cnt = 7;
    to.rnr_retry = 7;  // for ever: the peer's receives are our own
    to.sq_psn = first_sequence;
    to.max_rd_atomic = static_cast<std::uint8_t>(reads);
    check(library().ibv_modify_qp(pair_.get(), &to,
                                  IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
                                      IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC),
          "ibv_modify_qp to RTS");
  }

  void post(std::span<const Work> chain) override {
    for (std::size_t i = 0; i < chain.size(); ++i) {
      const Work& work = chain[i];
      pieces_[i] = {reinterpret_cast<std::uint64_t>(work.local), work.bytes, work.key};
      ibv_send_wr& request = requests_[i];
      request.wr_id = work.id;
      request.next = i + 1 < chain.size() ? &requests_[i + 1] : nullptr;
      request.opcode = work.verb == Verb::write  ? IBV_WR_RDMA_WRITE
                       : work.verb == Verb::read ? IBV_WR_RDMA_READ
                                                 : IBV_WR_SEND;
      request.send_flags = 0;
      if (work.signalled) request.send_flags |= IBV_SEND_SIGNALED;
      if (work.inlined) request.send_flags |= IBV_SEND_INLINE;
      request.wr.rdma.remote_addr = work.remote;
      request.wr.rdma.rkey = work.remote_key;
    }
    ibv_send_wr* bad = nullptr;
    check(ibv_post_send(pair_.get(), requests_.data(), &bad), "ibv_post_send");
  }

  void post(const Receive& receive) override {
    ibv_sge piece{reinterpret_cast<std::uint64_t>(receive.local), receive.bytes, receive.key};
    ibv_recv_wr request{.wr_id = receive.id, .next = nullptr, .sg_list = &piece, .num_sge = 1};
    ibv_recv_wr* bad = nullptr;
    check(ibv_post_recv(pair_.get(), &request, &bad), "ibv_post_recv");
  }

 private:
  Pair pair_;
  std::array<ibv_send_wr, most_in_chain> requests_{};
  std::array<ibv_sge, most_in_chain> pieces_{};
};

class HostDevice final : public Device {
 public:
  explicit HostDevice(Context context)
      : context_(std::move(context)),
        domain_(check(library().ibv_alloc_pd(context_.get()), "ibv_alloc_pd")) {}

  PortFacts port() override {
    ibv_port_attr port{};
    check(library().query_port(context_.get(), 1, reinterpret_cast<_compat_ibv_port_attr*>(&port)),
          "ibv_query_port");
    ibv_device_attr device{};
    check(library().ibv_query_device(context_.get(), &device), "ibv_query_device");
    return {.active_mtu = bytes_of(port.active_mtu),
            .max_mtu = bytes_of(port.max_mtu),
            .lid = port.lid,
            .most_sends = device.max_qp_wr,
            .most_reads = std::min(device.max_qp_rd_atom, device.max_qp_init_rd_atom)};
  }

  GidBytes gid(int index) override {
    ibv_gid raw{};
    check(library().ibv_query_gid(context_.get(), 1, index, &raw), "ibv_query_gid");
    GidBytes bytes;
    std::memcpy(bytes.data(), raw.raw, bytes.size());
    return bytes;
  }

  std::unique_ptr<Region> register_memory(std::byte* at, std::uint64_t bytes) override {
    // Relaxed ordering lets the NIC's writes overtake each other on PCIe; drivers that do not know it ignore
    // the flag.
    ibv_mr* region =
        library().register_relaxed
            ? library().register_relaxed(domain_.get(), at, bytes, reinterpret_cast<std::uint64_t>(at),
                                         access | IBV_ACCESS_RELAXED_ORDERING)
            : library().register_memory(domain_.get(), at, bytes, access);
    return std::make_unique<HostRegion>(check(region, "ibv_reg_mr"));
  }

  std::unique_ptr<Region> register_dmabuf(int descriptor, std::uint64_t offset, std::uint64_t bytes,
                                          std::byte* at) override {
    if (!library().ibv_reg_dmabuf_mr) throw VerbsError("libibverbs has no ibv_reg_dmabuf_mr", ENOSYS);
    return std::make_unique<HostRegion>(
        check(library().ibv_reg_dmabuf_mr(domain_.get(), offset, bytes, reinterpret_cast<std::uint64_t>(at),
                                          descriptor, access | IBV_ACCESS_RELAXED_ORDERING),
              "ibv_reg_dmabuf_mr"));
  }

  std::unique_ptr<Completions> make_completions(int entries) override {
    return std::make_unique<HostCompletions>(context_.get(), entries);
  }

  std::unique_ptr<QueuePair> make_pair(Completions& completions, const PairSettings& settings) override {
    return std::make_unique<HostPair>(domain_.get(), static_cast<HostCompletions&>(completions).get(),
                                      settings);
  }

 private:
  static constexpr int access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ;
  Context context_;
  Domain domain_;
};

struct List {
  int count = 0;
  std::unique_ptr<ibv_device*, Closer<&Library::ibv_free_device_list>> owned{
      check(library().ibv_get_device_list(&count), "ibv_get_device_list")};
  std::span<ibv_device*> devices{owned.get(), static_cast<std::size_t>(count)};
};

class HostVerbs final : public Verbs {
 public:
  std::vector<std::string> devices() const override {
    std::vector<std::string> names;
    for (const List list; ibv_device * device : list.devices)
      names.emplace_back(library().ibv_get_device_name(device));
    return names;
  }
  std::unique_ptr<Device> open(const std::string& name) override {
    for (const List list; ibv_device * device : list.devices)
      if (name == library().ibv_get_device_name(device))
        return std::make_unique<HostDevice>(
            Context(check(library().ibv_open_device(device), "ibv_open_device")));
    throw VerbsError(
        "libibverbs does not list " + name +
            ": its userspace driver is missing (ibverbs-providers) or /dev/infiniband/uverbs* is not in "
            "this container",
        ENODEV);
  }
  std::string status_text(int status) const override {
    return library().ibv_wc_status_str(static_cast<ibv_wc_status>(status));
  }
};

}  // namespace

std::string verbs_absent() {
  if (!library().so)
    return "libibverbs cannot be loaded: " + library().so.why() + " (Debian: libibverbs1 ibverbs-providers)";
  return library().complete() ? "" : "libibverbs lacks a basic symbol";
}

std::unique_ptr<Verbs> host_verbs() {
  if (const auto why = verbs_absent(); !why.empty()) throw VerbsError(why, ENOENT);
  return std::make_unique<HostVerbs>();
}

}  // namespace mlc::rdma
