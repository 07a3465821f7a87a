#include "db/files/file_system.hpp"

#include <sys/vfs.h>

#include <array>
#include <cerrno>

#include "db/files/publish.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

struct Known {
    unsigned long magic;
    const char* name;
};

// statfs(2) and the file systems' own sources. FUSE counts as shared: sshfs, GlusterFS and BeeOND come through it.
constexpr std::array network_file_systems{
    Known{0x6969, "nfs"},       Known{0x0BD00BD0, "lustre"}, Known{0x47504653, "gpfs"},   Known{0x19830326, "beegfs"},
    Known{0xFF534D42, "cifs"},  Known{0xFE534D42, "smb2"},   Known{0x517B, "smb"},        Known{0x00C36400, "ceph"},
    Known{0x65735546, "fuse"},  Known{0x01021997, "9p"},     Known{0x5346414F, "afs"},    Known{0x6B414653, "afs"},
    Known{0x7461636F, "ocfs2"}, Known{0x01161970, "gfs2"},   Known{0xAAD7AAEA, "panfs"},  Known{0x20030528, "orangefs"},
    Known{0x73757245, "coda"},  Known{0x013111A8, "ibrix"},  Known{0xBACBACBC, "vmhgfs"},
};

}  // namespace

FileSystem file_system_from_magic(unsigned long magic) {
    for (const Known& known : network_file_systems) {
        if (known.magic == (magic & 0xFFFFFFFFul)) { return {known.name, true}; }
    }
    return {"local", false};
}

FileSystem file_system_of(const std::filesystem::path& path) {
    auto existing = std::filesystem::absolute(path);
    struct statfs status {};
    while (::statfs(existing.c_str(), &status) != 0) {
        if (errno != ENOENT || existing == existing.parent_path()) {
            throw Error{system_failure(path, "asking for its file system", errno)};
        }
        existing = existing.parent_path();
    }
    return file_system_from_magic(static_cast<unsigned long>(status.f_type));
}

}  // namespace loglog
