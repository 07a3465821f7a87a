#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace loglog {

/// Writes the bytes of a TensorBoard event file, as TensorFlow's and PyTorch's writers do: a record for the version,
/// then one for each scalar. The checksum is computed bit by bit, apart from the table of the reader under test.
class EventFileWriter {
  public:
    EventFileWriter() { add_record(fixed64(1, 1.7e9) + bytes(3, "brain.Event:2")); }

    /// `simple_value`, as PyTorch's SummaryWriter writes it.
    void add_scalar(std::string_view tag, std::int64_t step, float value, double wall_time = 1.7e9) {
        add_summary(step, wall_time, bytes(1, tag) + key(2, 5) + little_endian(std::bit_cast<std::uint32_t>(value), 4));
    }

    /// A tensor without dimensions, its float in `tensor_content`, as TensorFlow 2 writes it.
    void add_tensor_scalar(std::string_view tag, std::int64_t step, float value) {
        const std::string content = little_endian(std::bit_cast<std::uint32_t>(value), 4);
        add_summary(step, 1.7e9, bytes(1, tag) + bytes(8, varint(1, 1) + bytes(2, "") + bytes(4, content)));
    }

    /// A tensor of doubles in `double_val`; `size` entries along its one dimension.
    void add_tensor_of_doubles(std::string_view tag, std::int64_t step, double value, std::uint64_t size) {
        std::string packed;
        for (std::uint64_t i = 0; i < size; ++i) { packed += little_endian(std::bit_cast<std::uint64_t>(value), 8); }
        const std::string shape = bytes(2, varint(1, size));
        add_summary(step, 1.7e9, bytes(1, tag) + bytes(8, varint(1, 2) + bytes(2, shape) + bytes(6, packed)));
    }

    void add_record(const std::string& data) {
        const std::string length = little_endian(data.size(), 8);
        bytes_ += length + little_endian(masked(crc(length)), 4) + data + little_endian(masked(crc(data)), 4);
    }

    const std::string& contents() const noexcept { return bytes_; }

  private:
    static std::string little_endian(std::uint64_t value, int count) {
        std::string result;
        for (int i = 0; i < count; ++i) { result += static_cast<char>(value >> (8 * i) & 0xff); }
        return result;
    }
    static std::string raw_varint(std::uint64_t value) {
        std::string result;
        for (; value >= 0x80; value >>= 7) { result += static_cast<char>((value & 0x7f) | 0x80); }
        return result + static_cast<char>(value);
    }
    static std::string key(std::uint64_t field, std::uint64_t wire_type) { return raw_varint(field << 3 | wire_type); }
    static std::string varint(std::uint64_t field, std::uint64_t value) { return key(field, 0) + raw_varint(value); }
    static std::string fixed64(std::uint64_t field, double value) {
        return key(field, 1) + little_endian(std::bit_cast<std::uint64_t>(value), 8);
    }
    static std::string bytes(std::uint64_t field, std::string_view content) {
        return key(field, 2) + raw_varint(content.size()) + std::string{content};
    }

    static std::uint32_t crc(std::string_view data) {
        std::uint32_t value = 0xffffffffU;
        for (const char c : data) {
            value ^= static_cast<unsigned char>(c);
            for (int bit = 0; bit < 8; ++bit) { value = (value & 1) != 0 ? (value >> 1) ^ 0x82f63b78U : value >> 1; }
        }
        return ~value;
    }
    static std::uint32_t masked(std::uint32_t value) { return (value >> 15 | value << 17) + 0xa282ead8U; }

    void add_summary(std::int64_t step, double wall_time, const std::string& value) {
        add_record(fixed64(1, wall_time) + varint(2, static_cast<std::uint64_t>(step)) + bytes(5, bytes(1, value)));
    }

    std::string bytes_;
};

}  // namespace loglog
