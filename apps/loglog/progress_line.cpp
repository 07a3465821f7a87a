#include "apps/loglog/progress_line.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace loglog {
namespace {

constexpr auto redraw_interval = std::chrono::milliseconds{100};
constexpr auto line_interval = std::chrono::seconds{10};

}  // namespace

ProgressLine::ProgressLine() : terminal_{isatty(STDERR_FILENO) == 1}, next_{std::chrono::steady_clock::now()} {
    if (!terminal_) { next_ += line_interval; }
}

ProgressLine::~ProgressLine() {
    if (drawn_ > 0) { std::fputc('\n', stderr); }
}

bool ProgressLine::due() const { return std::chrono::steady_clock::now() >= next_; }

void ProgressLine::show(const std::string& text) {
    next_ = std::chrono::steady_clock::now();
    if (terminal_) {
        next_ += redraw_interval;
        std::fprintf(stderr, "\r%-*s", static_cast<int>(std::max(drawn_, text.size())), text.c_str());
        drawn_ = text.size();
    } else {
        next_ += line_interval;
        std::fprintf(stderr, "%s\n", text.c_str());
    }
    std::fflush(stderr);
}

std::string spell_duration(double seconds) {
    const auto s = static_cast<long long>(std::llround(std::max(seconds, 0.0)));
    if (s >= 3600) { return fmt::format("{} h {:02} min", s / 3600, s % 3600 / 60); }
    if (s >= 60) { return fmt::format("{} min {:02} s", s / 60, s % 60); }
    return fmt::format("{} s", s);
}

std::string progress_bar(double fraction, int width) {
    const int full = static_cast<int>(std::clamp(fraction, 0.0, 1.0) * width);
    return std::string(static_cast<std::size_t>(full), '#') + std::string(static_cast<std::size_t>(width - full), '-');
}

}  // namespace loglog
