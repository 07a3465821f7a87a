#include "engine/data/dataset.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "engine/base/error.hpp"
#include "engine/data/manifest.hpp"
#include "engine/data/synthetic.hpp"
#include "engine/tokenizer/encoder.hpp"

namespace loglog {

namespace {

// A synthetic corpus is small: a larger share than usual is held out, so that losses on it mean something.
constexpr SplitFractions synthetic_fractions{0.1, 0.05};

template <class Stored>
void widen(const std::byte* from, std::span<std::int32_t> to) {
    const auto* stored = reinterpret_cast<const Stored*>(from);
    std::transform(stored, stored + to.size(), to.begin(),
                   [](Stored token) { return static_cast<std::int32_t>(token); });
}

Tokenizer load_tokenizer(const std::string& folder, const Manifest& manifest) {
    auto tokenizer = Tokenizer::load(folder + '/' + tokenizer_file);
    if (tokenizer.hash() != manifest.tokenizer_hash) {
        throw Error{folder + '/' + tokenizer_file + ": the tokenizer's hash is " + tokenizer.hash() +
                    " but expected is " + manifest.tokenizer_hash};
    }
    return tokenizer;
}

struct HashedText {
    ContentHash hash;
    std::string text;
};

std::vector<HashedText> distinct_by_hash(std::vector<std::string> texts) {
    std::vector<HashedText> result;
    for (std::string& text : texts) {
        const auto hash = content_hash(text);
        result.push_back({hash, std::move(text)});
    }
    std::sort(result.begin(), result.end(), [](const auto& a, const auto& b) { return a.hash < b.hash; });
    const auto last =
        std::unique(result.begin(), result.end(), [](const auto& a, const auto& b) { return a.hash == b.hash; });
    result.erase(last, result.end());
    return result;
}

}  // namespace

TokenDataset TokenDataset::open(const std::string& folder, OpenCheck check) {
    const Manifest manifest = read_manifest(folder);
    try {
        TokenDataset dataset{load_tokenizer(folder, manifest)};
        dataset.hash_ = manifest.data_hash;
        dataset.token_width_ = manifest.token_width;
        for (const Split split : all_splits) {
            const SplitInfo& info = manifest.split(split);
            Part& part = dataset.parts_[static_cast<std::size_t>(split)];
            part.documents = info.documents;
            part.bytes = info.bytes;
            for (const ShardInfo& shard : info.shards) {
                const MappedShard mapped{folder, shard, manifest.token_width};
                if (check == OpenCheck::checksums) { mapped.verify(); }
                part.segments.push_back({part.tokens, shard.tokens, mapped.bytes().data(), mapped.owner()});
                part.tokens += shard.tokens;
            }
        }
        return dataset;
    } catch (const Error& error) {
        throw Error{std::string{error.what()} + "\nthe data set is damaged; make it again with: " + manifest.rebuild +
                        " --force --out " + folder,
                    error.kind()};
    }
}

TokenDataset TokenDataset::from_texts(std::vector<std::string> texts, const Tokenizer& tokenizer,
                                      SplitFractions fractions) {
    const auto documents = distinct_by_hash(std::move(texts));
    std::vector<ContentHash> hashes;
    for (const HashedText& document : documents) { hashes.push_back(document.hash); }
    const auto splits = assign_splits(hashes, fractions);
    TokenDataset dataset{tokenizer};
    dataset.token_width_ = sizeof(std::int32_t);
    Manifest manifest;
    manifest.tokenizer_hash = tokenizer.hash();
    Encoder encoder{tokenizer};
    for (const Split split : all_splits) {
        Part& part = dataset.parts_[static_cast<std::size_t>(split)];
        const auto tokens = std::make_shared<std::vector<std::int32_t>>();
        for (std::size_t i = 0; i < documents.size(); ++i) {
            if (splits[i] != split) { continue; }
            encoder.encode(documents[i].text, *tokens);
            tokens->push_back(tokenizer.end_of_document());
            part.bytes += documents[i].text.size();
            ++part.documents;
        }
        part.tokens = tokens->size();
        const auto bytes = std::as_bytes(std::span{*tokens});
        part.segments.push_back({0, part.tokens, bytes.data(), tokens});
        manifest.split(split).shards.push_back({"", part.tokens, checksum(bytes)});
    }
    dataset.hash_ = data_hash(manifest);
    return dataset;
}

TokenDataset TokenDataset::synthetic(std::int64_t documents, Seed seed) {
    if (documents <= 0) {
        throw InputError{"data.synthetic.documents is " + std::to_string(documents) + " but must be at least 1"};
    }
    const SyntheticText text{seed};
    std::vector<std::string> texts;
    for (std::int64_t i = 0; i < documents; ++i) { texts.push_back(text.document(static_cast<std::uint64_t>(i))); }
    return from_texts(std::move(texts), Tokenizer::bytes(), synthetic_fractions);
}

TokenDataset TokenDataset::without_text(std::int32_t vocab, std::string hash) {
    TokenDataset dataset{Tokenizer::bytes()};
    dataset.vocab_ = vocab;
    dataset.hash_ = std::move(hash);
    return dataset;
}

double TokenDataset::bytes_per_token(Split split) const noexcept {
    return tokens(split) == 0 ? 0.0 : static_cast<double>(bytes(split)) / static_cast<double>(tokens(split));
}

void TokenDataset::read(Split split, std::uint64_t first, std::span<std::int32_t> out) const {
    const Part& source = part(split);
    if (first > source.tokens || out.size() > source.tokens - first) {
        throw InputError{"tokens [" + std::to_string(first) + ", " + std::to_string(first + out.size()) + ") of the " +
                         std::string{to_string(split)} + " split were asked for, which has " +
                         std::to_string(source.tokens)};
    }
    auto segment = std::upper_bound(source.segments.begin(), source.segments.end(), first,
                                    [](std::uint64_t at, const Segment& s) { return at < s.first + s.tokens; });
    while (!out.empty()) {
        const std::uint64_t offset = first - segment->first;
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), segment->tokens - offset));
        const std::byte* from = segment->data + offset * token_width_;
        token_width_ == 2 ? widen<std::uint16_t>(from, out.first(count)) : widen<std::uint32_t>(from, out.first(count));
        out = out.subspan(count);
        first += count;
        ++segment;
    }
}

}  // namespace loglog
