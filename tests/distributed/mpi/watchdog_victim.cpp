#include <csignal>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "distributed/collectives/mpi_group.hpp"
#include "distributed/mpi/session.hpp"
#include "distributed/mpi/watchdog.hpp"

/// `watchdog_victim BEHAVIOUR RANK`: all ranks do three all-reduces; RANK behaves otherwise before the third one.
int main(int argc, char** argv) try {
    if (argc != 3) { return 2; }
    const std::string behaviour = argv[1];
    const loglog::MpiSession session;
    const auto world = loglog::Communicator::world();
    const bool misbehaves = world.rank() == std::stoi(argv[2]);
    loglog::OperationLog log;
    const loglog::Watchdog watchdog{world,
                                    log,
                                    "dp " + std::to_string(world.rank()),
                                    {.waiting_seconds = 2, .silent_seconds = 3, .period_seconds = 0.25}};
    const auto group = loglog::make_group(loglog::Communicator::world(), loglog::Reduction::tree, "data", &log);
    std::vector<float> x(1000, 1);

    group->all_reduce_sum(std::span{x});
    group->all_reduce_sum(std::span{x});
    if (misbehaves && behaviour == "stop") { std::raise(SIGSTOP); }
    if (misbehaves && behaviour == "sleep") { std::this_thread::sleep_for(std::chrono::seconds{60}); }
    if (misbehaves && behaviour == "throw") { throw std::runtime_error{"thrown on purpose"}; }
    if (misbehaves && behaviour == "pause") { std::this_thread::sleep_for(std::chrono::seconds{1}); }
    group->all_reduce_sum(std::span{x});
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
