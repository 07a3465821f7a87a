#include "distributed/mpi/communicator.hpp"

#include <string>

#include "distributed/mpi/error.hpp"

namespace loglog {

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
