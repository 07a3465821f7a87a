#pragma once

#include <chrono>
#include <string>

namespace loglog {

/// Progress of long work on stderr: redrawn in place on a terminal, one plain line now and then elsewhere.
class ProgressLine {
  public:
    ProgressLine();
    /// Leaves the last text on its own line.
    ~ProgressLine();
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    /// Whether it is time to show something; building the text costs nothing when it is not.
    bool due() const;
    void show(const std::string& text);

  private:
    bool terminal_;
    std::chrono::steady_clock::time_point next_;
    std::size_t drawn_ = 0;  // characters on the terminal's line
};

/// "1 h 02 min", "3 min 20 s", "12 s"
std::string spell_duration(double seconds);
/// "#####-----" of `width` characters, `fraction` in [0, 1]
std::string progress_bar(double fraction, int width = 20);

}  // namespace loglog
