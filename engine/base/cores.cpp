#include "engine/base/cores.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>

namespace loglog {

int usable_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(CPU_COUNT(&set), 1) : online_cores();
}

int online_cores() { return static_cast<int>(std::max(sysconf(_SC_NPROCESSORS_ONLN), 1L)); }

}  // namespace loglog
