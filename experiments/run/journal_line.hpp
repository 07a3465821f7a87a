#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "experiments/run/journal.hpp"

namespace loglog::detail {

/// The line's JSON without its checksum and closing brace.
void append_text(std::string& out, const OpenedLine& line);
void append_text(std::string& out, const ResumedLine& line);
void append_text(std::string& out, const StepLine& line);
void append_text(std::string& out, const EvalLine& line);
void append_text(std::string& out, const CheckpointLine& line);
void append_text(std::string& out, const ClosedLine& line);

/// Closes the object in `out` with the checksum of what it holds, and ends the line.
void append_checksum(std::string& out);

/// Whether the line, without its newline, ends in the checksum of what stands before.
bool is_whole(std::string_view line);

/// Reads a whole line. Throws Error saying what is wrong with it.
JournalLine parse_line(std::string_view line);

}  // namespace loglog::detail
