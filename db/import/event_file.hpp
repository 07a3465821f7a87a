#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "db/import/import_table.hpp"

namespace loglog {

/// One scalar of a TensorBoard event file.
struct EventScalar {
    std::string tag;
    std::int64_t step = 0;
    double wall_time = 0;  ///< seconds since 1970
    double value = 0;

    bool operator==(const EventScalar&) const = default;
};

struct EventFile {
    std::vector<EventScalar> scalars;  ///< in the order written
    std::int64_t other_values = 0;     ///< images, histograms, texts: passed over
    std::string note;                  ///< how the file ends before its last record does; empty for a whole file
};

/// Reads a TensorBoard event file: TFRecord framing (length, its checksum, data, its checksum; CRC-32C, masked) around
/// protocol buffers `Event`, of which the scalars are taken: `simple_value`, and tensors of one number (float, double,
/// int32, int64). A last record that is cut short, as a killed or a still running writer leaves, is a note; a wrong
/// checksum or a record that is no `Event` throws InputError with the record's number and byte.
EventFile parse_event_file(std::string_view bytes, const std::string& source);

/// The event files of one run, in the order written (by name).
struct EventRun {
    std::string name;
    std::vector<EventFile> files;
};

/// Rows (run, step, wall_time, one column a tag; where the last file of a run is cut short also `state`). A step that
/// comes again, after a restart, takes the place of the tag's values from that step on.
ImportTable table_of_events(std::span<const EventRun> runs, const std::string& source);

}  // namespace loglog
