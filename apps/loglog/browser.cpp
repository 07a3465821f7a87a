#include "apps/loglog/browser.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>
#include <vector>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

namespace fs = std::filesystem;

// Time that a page's timers see pass; real time is what drawing takes. Milliseconds.
constexpr const char* virtual_time = "--virtual-time-budget=60000";

bool is_program(const fs::path& file) {
    std::error_code ignored;
    return fs::is_regular_file(file, ignored) && ::access(file.c_str(), X_OK) == 0;
}

fs::path on_the_path(const std::string& name) {
    const char* path = std::getenv("PATH");
    std::istringstream folders{path == nullptr ? "" : path};
    for (std::string folder; std::getline(folders, folder, ':');) {
        if (!folder.empty() && is_program(fs::path{folder} / name)) { return fs::path{folder} / name; }
    }
    return {};
}

/// A folder that is removed with everything in it: a browser's profile and what it wrote.
class ScratchFolder {
  public:
    ScratchFolder() {
        std::string pattern = (fs::temp_directory_path() / "loglog-browser-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) {
            throw Error{"cannot create a folder " + pattern + ": " + std::strerror(errno)};
        }
        path_ = pattern;
    }
    ~ScratchFolder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;

    const fs::path& path() const noexcept { return path_; }

  private:
    fs::path path_;
};

/// A program in a process group of its own, which is killed unless it was waited for.
class ChildGroup {
  public:
    ChildGroup(const std::vector<std::string>& words, const fs::path& output, const fs::path& errors) {
        std::vector<char*> arguments;
        for (const auto& word : words) { arguments.push_back(const_cast<char*>(word.c_str())); }
        arguments.push_back(nullptr);
        posix_spawn_file_actions_t files;
        posix_spawn_file_actions_init(&files);
        posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        posix_spawn_file_actions_addopen(&files, STDERR_FILENO, errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        posix_spawnattr_t attributes;
        posix_spawnattr_init(&attributes);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
        const int failure =
            posix_spawn(&process_, words.front().c_str(), &files, &attributes, arguments.data(), environ);
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&files);
        if (failure != 0) { throw Error{"cannot start " + words.front() + ": " + std::strerror(failure)}; }
    }
    ~ChildGroup() {
        if (is_running_) {
            ::kill(-process_, SIGKILL);
            ::waitpid(process_, nullptr, 0);
        }
    }
    ChildGroup(const ChildGroup&) = delete;
    ChildGroup& operator=(const ChildGroup&) = delete;

    /// Whether it ended within the time; its status is then known.
    bool wait(std::chrono::seconds limit) {
        const auto end = std::chrono::steady_clock::now() + limit;
        while (is_running_) {
            const pid_t ended = ::waitpid(process_, &status_, WNOHANG);
            if (ended == process_) {
                is_running_ = false;
                ::kill(-process_, SIGKILL);  // helpers that outlived it
            } else if (std::chrono::steady_clock::now() > end) {
                return false;
            } else {
                std::this_thread::sleep_for(std::chrono::milliseconds{20});
            }
        }
        return true;
    }
    int status() const noexcept { return status_; }

  private:
    pid_t process_ = -1;
    bool is_running_ = true;
    int status_ = 0;
};

std::string read_text(const fs::path& file) {
    std::ifstream in{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

/// The end of what a browser complained of, where the reason mostly stands.
std::string last_words(const fs::path& errors) {
    constexpr std::size_t most = 600;
    std::string text = read_text(errors);
    if (text.size() > most) { text = "..." + text.substr(text.size() - most); }
    return text.empty() ? "; it said nothing" : "; it said:\n" + text;
}

/// "file:///a%20b.html#draw-all": the fragment asks the page to draw what is out of view too.
std::string page_url(const fs::path& page) {
    std::string url = "file://";
    for (const char c : fs::absolute(page).string()) {
        const bool is_plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || std::strchr("/-._~", c) != nullptr;
        url += is_plain ? std::string{c} : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return url + "#draw-all";
}

/// Runs a headless browser on the page and returns what it wrote to standard output.
std::string run_browser(const fs::path& browser, const fs::path& page, const std::vector<std::string>& task,
                        std::chrono::seconds limit) {
    const ScratchFolder scratch;
    std::vector<std::string> words{browser.string(),
                                   "--headless",
                                   "--disable-gpu",
                                   "--no-first-run",
                                   "--disable-background-networking",
                                   "--disable-component-update",
                                   "--disable-sync",
                                   "--disable-default-apps",
                                   "--disable-dev-shm-usage",
                                   "--mute-audio",
                                   "--run-all-compositor-stages-before-draw",
                                   virtual_time,
                                   "--user-data-dir=" + (scratch.path() / "profile").string()};
    if (::geteuid() == 0) { words.emplace_back("--no-sandbox"); }  // Chromium refuses to sandbox for root
    words.insert(words.end(), task.begin(), task.end());
    words.push_back(page_url(page));
    ChildGroup child{words, scratch.path() / "output", scratch.path() / "errors"};
    if (!child.wait(limit)) {
        throw Error{fmt::format("{} did not end within {} s and was stopped{}", browser.string(), limit.count(),
                                last_words(scratch.path() / "errors"))};
    }
    if (!WIFEXITED(child.status()) || WEXITSTATUS(child.status()) != 0) {
        const std::string how = WIFEXITED(child.status()) ? fmt::format("exit status {}", WEXITSTATUS(child.status()))
                                                          : fmt::format("signal {}", WTERMSIG(child.status()));
        throw Error{fmt::format("{} failed with {}{}", browser.string(), how, last_words(scratch.path() / "errors"))};
    }
    return read_text(scratch.path() / "output");
}

}  // namespace

fs::path find_browser() {
    const char* chosen = std::getenv("LOGLOG_BROWSER");
    if (chosen != nullptr && *chosen != '\0') {
        const fs::path program = std::strchr(chosen, '/') != nullptr ? fs::path{chosen} : on_the_path(chosen);
        if (!is_program(program)) {
            throw InputError{std::string{"LOGLOG_BROWSER is '"} + chosen + "', which is no program that can be run"};
        }
        return program;
    }
    for (const char* name : {"chromium", "chromium-browser", "google-chrome"}) {
        if (fs::path program = on_the_path(name); !program.empty()) { return program; }
    }
    throw Error{
        "PNG, SVG and PDF are drawn by Chromium, and neither chromium, chromium-browser nor google-chrome is on the "
        "path: install one (Debian: apt install chromium) or set LOGLOG_BROWSER to it; html, md, json and csv need "
        "none"};
}

void print_page(const fs::path& browser, const fs::path& page, const fs::path& pdf, std::chrono::seconds limit) {
    fs::path partial = pdf;
    partial += ".partial";
    std::error_code failure;
    fs::remove(partial, failure);
    run_browser(browser, page, {"--no-pdf-header-footer", "--print-to-pdf=" + fs::absolute(partial).string()}, limit);
    if (!read_text(partial).starts_with("%PDF-")) {
        fs::remove(partial, failure);
        throw Error{browser.string() + " ended well but wrote no PDF to " + partial.string() +
                    " (may it write there? A Chromium from a snap may write below the home folder alone)"};
    }
    fs::rename(partial, pdf, failure);
    if (failure) {
        throw Error{"cannot rename " + partial.string() + " to " + pdf.string() + ": " + failure.message()};
    }
}

std::string run_page(const fs::path& browser, const fs::path& page, std::chrono::seconds limit) {
    return run_browser(browser, page, {"--dump-dom"}, limit);
}

}  // namespace loglog
