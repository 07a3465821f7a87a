#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string_view>

namespace loglog {

/// The message ends within a field, or has one of a wire type that there is not.
struct ProtobufFault : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Walks over the fields of one protocol-buffer message (the wire format of protobuf.dev/programming-guides/encoding):
///
///     for (ProtobufReader fields{message}; fields.next();) {
///         if (fields.is(2, WireType::varint)) { step = fields.integer(); }
///     }
enum class WireType : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

class ProtobufReader {
  public:
    explicit ProtobufReader(std::string_view message) : rest_{message} {}

    /// Reads the next field, known or not; false at the message's end. Throws ProtobufFault.
    bool next() {
        if (rest_.empty()) { return false; }
        const std::uint64_t key = read_varint();
        number_ = key >> 3;
        type_ = static_cast<WireType>(key & 7);
        switch (type_) {
            case WireType::varint:
                integer_ = read_varint();
                return true;
            case WireType::fixed64:
                bytes_ = take(8);
                return true;
            case WireType::bytes:
                bytes_ = take(read_varint());
                return true;
            case WireType::fixed32:
                bytes_ = take(4);
                return true;
        }
        throw ProtobufFault{"a field has wire type " + std::to_string(key & 7)};
    }

    bool is(std::uint64_t number, WireType type) const noexcept { return number_ == number && type_ == type; }

    std::int64_t integer() const noexcept { return static_cast<std::int64_t>(integer_); }
    std::string_view bytes() const noexcept { return bytes_; }
    /// Of a fixed64 or fixed32 field, or the first of a packed list: bytes() as a little-endian number.
    double float64() const noexcept { return number_from<double, std::uint64_t>(bytes_); }
    double float32() const noexcept { return number_from<float, std::uint32_t>(bytes_); }

    template <class Number, class Bits>
    static Number number_from(std::string_view bytes) noexcept {
        Bits bits = 0;
        for (std::size_t i = 0; i < sizeof(Bits) && i < bytes.size(); ++i) {
            bits |= static_cast<Bits>(static_cast<unsigned char>(bytes[i])) << (8 * i);
        }
        return std::bit_cast<Number>(bits);
    }

    std::uint64_t read_varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const auto byte = static_cast<unsigned char>(take(1).front());
            value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if ((byte & 0x80) == 0) { return value; }
        }
        throw ProtobufFault{"a number has more than ten bytes"};
    }

  private:
    std::string_view take(std::uint64_t count) {
        if (count > rest_.size()) { throw ProtobufFault{"a field is longer than its message"}; }
        const std::string_view taken = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return taken;
    }

    std::string_view rest_;
    std::uint64_t number_ = 0;
    WireType type_ = WireType::varint;
    std::uint64_t integer_ = 0;
    std::string_view bytes_;
};

}  // namespace loglog
