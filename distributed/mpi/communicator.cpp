#include "distributed/mpi/communicator.hpp"

#include <limits>
#include <string>

#include "distributed/mpi/error.hpp"

namespace loglog {
namespace {

struct MpiGroupTraits {
    using Native = MPI_Group;
    static MPI_Group null() noexcept { return MPI_GROUP_NULL; }
    static void close(MPI_Group group) noexcept { MPI_Group_free(&group); }
};
using GroupHandle = UniqueHandle<MpiGroupTraits>;

int count(std::size_t elements) {
    if (elements > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
        throw Error{"MPI cannot count " + std::to_string(elements) + " elements in one call: send them in pieces"};
    }
    return static_cast<int>(elements);
}

MPI_Datatype type_of(std::span<const float>) { return MPI_FLOAT; }
MPI_Datatype type_of(std::span<const double>) { return MPI_DOUBLE; }

template <class T>
Request start_sum(std::span<T> x, MPI_Comm comm) {
    MPI_Request request = MPI_REQUEST_NULL;
    mpi::check(MPI_Iallreduce(MPI_IN_PLACE, x.data(), count(x.size()), type_of(x), MPI_SUM, comm, &request),
               "start an all-reduce of " + std::to_string(x.size_bytes()) + " bytes");
    return Request{request};
}

template <class T>
void sum(std::span<T> x, MPI_Comm comm) {
    mpi::check(MPI_Allreduce(MPI_IN_PLACE, x.data(), count(x.size()), type_of(x), MPI_SUM, comm),
               "all-reduce " + std::to_string(x.size_bytes()) + " bytes");
}

}  // namespace

Communicator::Communicator(CommHandle handle) : handle_{std::move(handle)} {
    mpi::check(MPI_Comm_set_errhandler(handle_.get(), MPI_ERRORS_RETURN), "set a communicator's error handler");
    mpi::check(MPI_Comm_rank(handle_.get(), &rank_), "tell this process's rank");
    mpi::check(MPI_Comm_size(handle_.get(), &size_), "tell the number of ranks");
}

Communicator Communicator::duplicate(MPI_Comm comm) {
    MPI_Comm copy = MPI_COMM_NULL;
    mpi::check(MPI_Comm_dup(comm, &copy), "duplicate a communicator");
    return Communicator{CommHandle{copy}};
}

Communicator Communicator::create_group(std::span<const int> ranks, int tag) const {
    MPI_Group all = MPI_GROUP_NULL;
    mpi::check(MPI_Comm_group(handle_.get(), &all), "list a communicator's ranks");
    const GroupHandle all_owner{all};
    MPI_Group chosen = MPI_GROUP_NULL;
    mpi::check(MPI_Group_incl(all, count(ranks.size()), ranks.data(), &chosen),
               "choose " + std::to_string(ranks.size()) + " of " + std::to_string(size_) + " ranks");
    const GroupHandle chosen_owner{chosen};
    MPI_Comm comm = MPI_COMM_NULL;
    mpi::check(MPI_Comm_create_group(handle_.get(), chosen, tag, &comm),
               "make a communicator of " + std::to_string(ranks.size()) + " ranks");
    if (comm == MPI_COMM_NULL) {
        throw Error{"rank " + std::to_string(rank_) + " cannot make a communicator that it is no member of"};
    }
    return Communicator{CommHandle{comm}};
}

Request Communicator::start_send(int to, int tag, std::span<const std::byte> message) const {
    MPI_Request request = MPI_REQUEST_NULL;
    mpi::check(MPI_Isend(message.data(), count(message.size()), MPI_BYTE, to, tag, handle_.get(), &request),
               "send " + std::to_string(message.size()) + " bytes to rank " + std::to_string(to));
    return Request{request};
}

Request Communicator::start_receive(int from, int tag, std::span<std::byte> message) const {
    MPI_Request request = MPI_REQUEST_NULL;
    mpi::check(MPI_Irecv(message.data(), count(message.size()), MPI_BYTE, from, tag, handle_.get(), &request),
               "receive " + std::to_string(message.size()) + " bytes from rank " + std::to_string(from));
    return Request{request};
}

Request Communicator::start_all_reduce_sum(std::span<float> x) const { return start_sum(x, handle_.get()); }
Request Communicator::start_all_reduce_sum(std::span<double> x) const { return start_sum(x, handle_.get()); }

Request Communicator::start_reduce_sum(std::span<float> x, int root) const {
    MPI_Request request = MPI_REQUEST_NULL;
    const bool here = rank_ == root;
    mpi::check(MPI_Ireduce(here ? MPI_IN_PLACE : x.data(), here ? x.data() : nullptr, count(x.size()), MPI_FLOAT,
                           MPI_SUM, root, handle_.get(), &request),
               "start a reduction of " + std::to_string(x.size_bytes()) + " bytes to rank " + std::to_string(root));
    return Request{request};
}

Request Communicator::start_broadcast(std::span<std::byte> x, int root) const {
    MPI_Request request = MPI_REQUEST_NULL;
    mpi::check(MPI_Ibcast(x.data(), count(x.size()), MPI_BYTE, root, handle_.get(), &request),
               "start a broadcast of " + std::to_string(x.size()) + " bytes from rank " + std::to_string(root));
    return Request{request};
}

void Communicator::all_reduce_sum(std::span<float> x) const { sum(x, handle_.get()); }
void Communicator::all_reduce_sum(std::span<double> x) const { sum(x, handle_.get()); }

void Communicator::send(int to, int tag, std::span<const std::byte> message) const {
    mpi::check(MPI_Send(message.data(), static_cast<int>(message.size()), MPI_BYTE, to, tag, handle_.get()),
               "send " + std::to_string(message.size()) + " bytes to rank " + std::to_string(to));
}

std::optional<Communicator::Received> Communicator::try_receive(int tag) const {
    int arrived = 0;
    MPI_Message handle = MPI_MESSAGE_NULL;
    MPI_Status status{};
    // Matched probe: another thread cannot take the message between looking and receiving.
    mpi::check(MPI_Improbe(MPI_ANY_SOURCE, tag, handle_.get(), &arrived, &handle, &status), "look for a message");
    if (arrived == 0) { return std::nullopt; }
    int bytes = 0;
    mpi::check(MPI_Get_count(&status, MPI_BYTE, &bytes), "tell a message's size");
    Received received{status.MPI_SOURCE, std::vector<std::byte>(static_cast<std::size_t>(bytes))};
    mpi::check(MPI_Mrecv(received.message.data(), bytes, MPI_BYTE, &handle, MPI_STATUS_IGNORE),
               "receive from rank " + std::to_string(received.from));
    return received;
}

int Communicator::ranks_on_this_host() const {
    MPI_Comm host = MPI_COMM_NULL;
    mpi::check(MPI_Comm_split_type(handle_.get(), MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host),
               "find this host's ranks");
    const CommHandle owner{host};
    int size = 0;
    mpi::check(MPI_Comm_size(host, &size), "tell the number of this host's ranks");
    return size;
}

}  // namespace loglog
