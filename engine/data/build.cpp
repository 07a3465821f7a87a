#include "engine/data/build.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <mutex>
#include <optional>
#include <system_error>

#include "engine/base/cores.hpp"
#include "engine/base/error.hpp"
#include "engine/data/dataset.hpp"
#include "engine/data/documents.hpp"
#include "engine/data/parallel.hpp"
#include "engine/data/sources.hpp"
#include "engine/data/split_writer.hpp"
#include "engine/tokenizer/bpe_trainer.hpp"
#include "engine/tokenizer/encoder.hpp"

namespace loglog {

namespace {

namespace fs = std::filesystem;

using Progress = std::function<void(const BuildProgress&)>;

constexpr std::uint64_t batch_bytes = std::uint64_t{8} << 20;  // of text tokenized at a time: bounds memory
constexpr std::size_t batch_documents = 4096;

/// What --tokenizer asks for.
struct TokenizerChoice {
    std::int32_t bpe_size = 0;          // > 0: to be trained
    std::optional<Tokenizer> existing;  // otherwise
    std::string identity;
};

TokenizerChoice parse_tokenizer(const std::string& text) {
    if (text == "bytes") { return {0, Tokenizer::bytes(), "bytes"}; }
    constexpr std::string_view prefix = "bpe:";
    if (text.rfind(prefix, 0) != 0) {
        auto tokenizer = Tokenizer::load(text);
        auto identity = tokenizer.hash();
        return {0, std::move(tokenizer), std::move(identity)};
    }
    std::int32_t size = 0;
    const auto [end, code] = std::from_chars(text.data() + prefix.size(), text.data() + text.size(), size);
    constexpr std::int32_t largest = 1 << 24;
    if (code != std::errc{} || end != text.data() + text.size() || size < smallest_bpe_vocabulary || size > largest) {
        throw InputError{"the tokenizer is '" + text + "', but bpe:N needs a whole number N from " +
                         std::to_string(smallest_bpe_vocabulary) + " to " + std::to_string(largest) +
                         " (256 bytes, N - 257 merges, the end of a document)"};
    }
    return {size, std::nullopt, text};
}

std::string quoted(const std::string& text) {
    const bool is_plain = !text.empty() && text.find_first_not_of(
                                               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                               "0123456789_-+=:,./@%") == std::string::npos;
    if (is_plain) { return text; }
    std::string result = "'";
    for (const char c : text) { result += c == '\'' ? std::string{"'\\''"} : std::string(1, c); }
    return result + '\'';
}

// The shortest digits that read back as the same number.
std::string to_text(double value) {
    char digits[32];
    return std::string(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

// The command without --out and --force. Paths become absolute, so that it works from anywhere.
std::string rebuild_command(const BuildOptions& options) {
    const bool is_file = options.tokenizer != "bytes" && options.tokenizer.rfind("bpe:", 0) != 0;
    std::string command = "loglog data build --tokenizer " +
                          quoted(is_file ? fs::absolute(options.tokenizer).string() : options.tokenizer) +
                          " --val-fraction " + to_text(options.fractions.validation) + " --test-fraction " +
                          to_text(options.fractions.test) + " --shard-tokens " + std::to_string(options.shard_tokens);
    if (!options.separator.empty()) { command += " --separator " + quoted(options.separator); }
    for (const std::string& pattern : options.include) { command += " --include " + quoted(pattern); }
    for (const std::string& path : options.paths) {
        command += ' ' + quoted(fs::absolute(path).lexically_normal().string());
    }
    return command;
}

// Everything that decides the outcome.
std::string input_hash(const BuildOptions& options, const TokenizerChoice& tokenizer,
                       const std::vector<Document>& documents) {
    std::string canonical = "loglog-input 1\ntokenizer " + tokenizer.identity + "\nvalidation " +
                            to_text(options.fractions.validation) + "\ntest " + to_text(options.fractions.test) +
                            "\nshard_tokens " + std::to_string(options.shard_tokens) + '\n';
    for (const Document& document : documents) { canonical += to_hex(document.hash) + '\n'; }
    return to_hex(content_hash(canonical));
}

// A data set may lie inside the folder it is made from.
void leave_out_target(std::vector<std::string>& files, const std::string& out) {
    const auto target = fs::absolute(out).lexically_normal().string();
    const auto is_target = [&](const std::string& file) {
        const auto path = fs::absolute(file).lexically_normal().string();
        return path.rfind(target + '/', 0) == 0 || path.rfind(target + ".building/", 0) == 0;
    };
    files.erase(std::remove_if(files.begin(), files.end(), is_target), files.end());
}

void validate(const BuildOptions& options) {
    validate(options.fractions);
    if (options.shard_tokens == 0) { throw InputError{"a shard must hold at least 1 token, not 0"}; }
    if (options.out.empty()) { throw InputError{"no folder is named for the data set"}; }
}

/// The documents of one build, with their text a read away.
class Corpus {
  public:
    Corpus(const BuildOptions& options, std::vector<std::string> files, std::vector<Document> documents,
           const Progress& progress)
        : files_{std::move(files)}, documents_{std::move(documents)}, threads_{options.threads}, progress_{progress} {
        std::vector<ContentHash> hashes;
        for (const Document& document : documents_) { hashes.push_back(document.hash); }
        splits_ = assign_splits(hashes, options.fractions);
    }

    Tokenizer train_tokenizer(std::int32_t vocab_size) const {
        const auto training = documents_of(Split::train);
        std::vector<PreTokenCounter> counters(threads_);
        Meter meter{progress_, "count", bytes_of(training)};
        parallel_for(training.size(), threads_, [&](unsigned thread, std::size_t i) {
            counters[thread].count(read_document(files_, training[i]));
            meter.advance(training[i].size);
        });
        for (std::size_t i = 1; i < counters.size(); ++i) { counters[0].add(counters[i]); }
        const auto merges = static_cast<std::uint64_t>(vocab_size - smallest_bpe_vocabulary);
        return train_bpe(counters[0], vocab_size, [&](std::int64_t done) {
            if (progress_) { progress_({"merge", "merges", static_cast<std::uint64_t>(done), merges}); }
        });
    }

    void write(const Tokenizer& tokenizer, const std::string& folder, std::uint64_t shard_tokens,
               Manifest& manifest) const {
        Meter meter{progress_, "tokenize", bytes_of(documents_)};
        std::vector<Encoder> encoders(threads_, Encoder{tokenizer});
        for (const Split split : all_splits) {
            SplitWriter writer{folder, split, manifest.token_width, shard_tokens};
            const auto documents = documents_of(split);
            for (std::size_t begin = 0; begin < documents.size();) {
                const std::size_t end = end_of_batch(documents, begin);
                write_batch({documents.data() + begin, end - begin}, encoders, tokenizer.end_of_document(), meter,
                            writer);
                begin = end;
            }
            manifest.split(split) = writer.finish();
        }
    }

  private:
    /// Adds up the work of several threads.
    class Meter {
      public:
        Meter(const Progress& progress, std::string_view phase, std::uint64_t total)
            : progress_{progress}, phase_{phase}, total_{total} {}
        void advance(std::uint64_t bytes) {
            const std::lock_guard lock{mutex_};
            done_ += bytes;
            if (progress_) { progress_({phase_, "B", done_, total_}); }
        }

      private:
        const Progress& progress_;
        std::string_view phase_;
        std::uint64_t total_;
        std::uint64_t done_ = 0;
        std::mutex mutex_;
    };

    std::vector<Document> documents_of(Split split) const {
        std::vector<Document> result;
        for (std::size_t i = 0; i < documents_.size(); ++i) {
            if (splits_[i] == split) { result.push_back(documents_[i]); }
        }
        return result;
    }

    static std::uint64_t bytes_of(const std::vector<Document>& documents) {
        std::uint64_t bytes = 0;
        for (const Document& document : documents) { bytes += document.size; }
        return bytes;
    }

    static std::size_t end_of_batch(const std::vector<Document>& documents, std::size_t begin) {
        std::size_t end = begin;
        for (std::uint64_t bytes = 0; end < documents.size() && end - begin < batch_documents && bytes < batch_bytes;
             ++end) {
            bytes += documents[end].size;
        }
        return end;
    }

    void write_batch(std::span<const Document> batch, std::vector<Encoder>& encoders, std::int32_t end_of_document,
                     Meter& meter, SplitWriter& writer) const {
        std::vector<std::vector<std::int32_t>> tokens(batch.size());
        parallel_for(batch.size(), threads_, [&](unsigned thread, std::size_t i) {
            encoders[thread].encode(read_document(files_, batch[i]), tokens[i]);
            tokens[i].push_back(end_of_document);
            meter.advance(batch[i].size);
        });
        for (std::size_t i = 0; i < batch.size(); ++i) { writer.append(tokens[i], batch[i].size); }
    }

    std::vector<std::string> files_;
    std::vector<Document> documents_;
    std::vector<Split> splits_;
    unsigned threads_;
    const Progress& progress_;
};

std::vector<std::string> notes_about(const Manifest& manifest, const TokenizerChoice& choice) {
    std::vector<std::string> notes;
    for (const Split split : {Split::validation, Split::test}) {
        const double fraction = split == Split::validation ? manifest.fractions.validation : manifest.fractions.test;
        if (fraction > 0.0 && manifest.split(split).documents == 0) {
            notes.push_back("the " + std::string{to_string(split)} +
                            " split is empty: there are too few documents (cut files into documents with --separator)");
        }
    }
    if (choice.bpe_size > manifest.vocab_size) {
        notes.push_back("the vocabulary has " + std::to_string(manifest.vocab_size) + " tokens, not " +
                        std::to_string(choice.bpe_size) +
                        ": no further pair of tokens occurs twice in the training text");
    }
    return notes;
}

// The data set at `out`, if it is what the same build made. Throws when something else is there.
std::optional<Manifest> already_built(const BuildOptions& options, const std::string& wanted_input_hash) {
    if (options.existing == Existing::replace || !is_occupied(options.out)) { return std::nullopt; }
    const std::string advice = "; choose another folder, or replace it with --force";
    if (!fs::exists(options.out + '/' + manifest_file)) {
        throw InputError{options.out + ": already exists and is no data set" + advice};
    }
    const Manifest manifest = read_manifest(options.out);
    if (manifest.input_hash != wanted_input_hash) {
        throw InputError{options.out + ": already holds a data set of other documents or settings" + advice};
    }
    TokenDataset::open(options.out, OpenCheck::checksums);
    return manifest;
}

std::string report_text(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) { text += line + '\n'; }
    return text;
}

}  // namespace

BuildResult build_dataset(const BuildOptions& given, const Progress& progress) {
    validate(given);
    BuildOptions options = given;
    if (options.threads == 0) { options.threads = static_cast<unsigned>(usable_cores()); }
    const auto choice = parse_tokenizer(options.tokenizer);
    auto files = find_source_files(options.paths, options.include);
    leave_out_target(files, options.out);
    auto scanned = scan_files(files, options.separator, options.threads, [&](std::uint64_t bytes) {
        if (progress) { progress({"read", "B", bytes, 0}); }
    });
    if (scanned.documents.empty()) {
        throw InputError{"none of the " + std::to_string(files.size()) + " files found is a text to train on (" +
                         std::to_string(scanned.dropped.empty) + " empty, " + std::to_string(scanned.dropped.binary) +
                         " binary, " + std::to_string(scanned.dropped.not_utf8) + " not UTF-8)"};
    }
    Manifest manifest;
    manifest.files = files.size();
    manifest.dropped = scanned.dropped;
    manifest.fractions = options.fractions;
    manifest.input_hash = input_hash(options, choice, scanned.documents);
    manifest.rebuild = rebuild_command(options);
    if (auto existing = already_built(options, manifest.input_hash)) {
        auto notes = notes_about(*existing, choice);
        return {std::move(*existing), true, std::move(notes)};
    }

    StagingFolder staging{options.out};
    const Corpus corpus{options, std::move(files), std::move(scanned.documents), progress};
    const auto tokenizer = choice.existing ? *choice.existing : corpus.train_tokenizer(choice.bpe_size);
    manifest.tokenizer = tokenizer.name();
    manifest.tokenizer_hash = tokenizer.hash();
    manifest.vocab_size = tokenizer.vocab_size();
    manifest.end_of_document = tokenizer.end_of_document();
    manifest.token_width = token_width_for(manifest.vocab_size);
    corpus.write(tokenizer, staging.path(), options.shard_tokens, manifest);
    manifest.data_hash = data_hash(manifest);
    write_file(staging.path() + '/' + tokenizer_file, tokenizer.to_json());
    write_file(staging.path() + "/dropped.tsv", report_text(scanned.report));
    write_file(staging.path() + '/' + manifest_file, to_json(manifest));
    staging.commit(options.existing);
    auto notes = notes_about(manifest, choice);
    return {std::move(manifest), false, std::move(notes)};
}

}  // namespace loglog
