#include "engine/data/manifest.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/base/error.hpp"
#include "engine/data/content_hash.hpp"

namespace loglog {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* format_name = "loglog-data";

Json to_json(const SplitInfo& split) {
    Json shards = Json::array();
    for (const ShardInfo& shard : split.shards) {
        shards.push_back({{"file", shard.file}, {"tokens", shard.tokens}, {"checksum", to_hex(shard.checksum)}});
    }
    return {{"documents", split.documents}, {"tokens", split.tokens}, {"bytes", split.bytes}, {"shards", shards}};
}

std::uint64_t parse_hex(const std::string& text) {
    std::uint64_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (code != std::errc{} || end != text.data() + text.size()) { throw InputError{"'" + text + "' is no checksum"}; }
    return value;
}

// A file name, not a path: a manifest must not make the program read elsewhere.
std::string parse_file_name(const Json& json) {
    auto name = json.get<std::string>();
    if (name.empty() || name.find('/') != std::string::npos) { throw InputError{"'" + name + "' is no shard's name"}; }
    return name;
}

SplitInfo parse_split(const Json& json) {
    SplitInfo split{json.at("documents"), json.at("tokens"), json.at("bytes"), {}};
    std::uint64_t tokens = 0;
    for (const Json& shard : json.at("shards")) {
        split.shards.push_back(
            {parse_file_name(shard.at("file")), shard.at("tokens"), parse_hex(shard.at("checksum"))});
        tokens += split.shards.back().tokens;
    }
    if (tokens != split.tokens) {
        throw InputError{"a split has " + std::to_string(split.tokens) + " tokens, but its shards have " +
                         std::to_string(tokens)};
    }
    return split;
}

Manifest parse(const Json& json) {
    if (json.at("format") != format_name) { throw InputError{"it is no data set's manifest"}; }
    if (json.at("version") != manifest_version) {
        throw InputError{"its version is " + json.at("version").dump() + ", this program reads version " +
                         std::to_string(manifest_version)};
    }
    Manifest manifest;
    const Json& tokenizer = json.at("tokenizer");
    manifest.tokenizer = tokenizer.at("name");
    manifest.tokenizer_hash = tokenizer.at("hash");
    manifest.vocab_size = tokenizer.at("vocab_size");
    manifest.end_of_document = tokenizer.at("end_of_document");
    manifest.token_width = json.at("bytes_per_stored_token");
    if (manifest.token_width != 2 && manifest.token_width != 4) {
        throw InputError{"bytes_per_stored_token is " + std::to_string(manifest.token_width) + ", not 2 or 4"};
    }
    manifest.fractions = {json.at("fractions").at("validation"), json.at("fractions").at("test")};
    for (const Split split : all_splits) {
        manifest.split(split) = parse_split(json.at("splits").at(std::string{to_string(split)}));
    }
    const Json& files = json.at("files");
    manifest.files = files.at("found");
    manifest.dropped = {files.at("duplicate"), files.at("binary"), files.at("not_utf8"), files.at("empty")};
    manifest.input_hash = json.at("input_hash");
    manifest.data_hash = json.at("data_hash");
    manifest.rebuild = json.at("rebuild");
    return manifest;
}

}  // namespace

std::string to_json(const Manifest& manifest) {
    Json splits = Json::object();
    for (const Split split : all_splits) { splits[std::string{to_string(split)}] = to_json(manifest.split(split)); }
    const Json json{{"format", format_name},
                    {"version", manifest_version},
                    {"data_hash", manifest.data_hash},
                    {"input_hash", manifest.input_hash},
                    {"tokenizer",
                     {{"name", manifest.tokenizer},
                      {"file", tokenizer_file},
                      {"hash", manifest.tokenizer_hash},
                      {"vocab_size", manifest.vocab_size},
                      {"end_of_document", manifest.end_of_document}}},
                    {"bytes_per_stored_token", manifest.token_width},
                    {"fractions", {{"validation", manifest.fractions.validation}, {"test", manifest.fractions.test}}},
                    {"files",
                     {{"found", manifest.files},
                      {"duplicate", manifest.dropped.duplicate},
                      {"binary", manifest.dropped.binary},
                      {"not_utf8", manifest.dropped.not_utf8},
                      {"empty", manifest.dropped.empty}}},
                    {"splits", std::move(splits)},
                    {"rebuild", manifest.rebuild}};
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

Manifest manifest_from_json(const std::string& text, const std::string& source) {
    try {
        return parse(Json::parse(text));
    } catch (const Json::exception& error) {
        throw InputError{source + ": not a valid manifest: " + error.what()};
    } catch (const InputError& error) { throw InputError{source + ": not a valid manifest: " + error.what()}; }
}

Manifest read_manifest(const std::string& folder) {
    const std::string path = folder + '/' + manifest_file;
    std::ifstream file{path, std::ios::binary};
    if (!file) {
        throw InputError{folder + ": not a data set (" + path + ": " + std::strerror(errno) +
                         "); make one with 'loglog data build --out " + folder + " PATH...'"};
    }
    std::ostringstream text;
    text << file.rdbuf();
    return manifest_from_json(text.str(), path);
}

std::string data_hash(const Manifest& manifest) {
    std::string canonical = "loglog-data 1\ntokenizer " + manifest.tokenizer_hash + '\n';
    for (const Split split : all_splits) {
        for (const ShardInfo& shard : manifest.split(split).shards) {
            canonical += std::string{to_string(split)} + ' ' + std::to_string(shard.tokens) + ' ' +
                         to_hex(shard.checksum) + '\n';
        }
    }
    return to_hex(content_hash(canonical));
}

}  // namespace loglog
