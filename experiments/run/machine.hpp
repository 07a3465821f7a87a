#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "experiments/spec/field_value.hpp"

namespace loglog {

/// A way between two ranks: a message of n bytes takes latency + n / bandwidth.
struct Link {
    double latency = 1e-6;    ///< seconds
    double bandwidth = 10e9;  ///< bytes per second that one rank sends, while all others of its node send as well
};

/// A cluster, real or not, and what the program that trains on it does where that changes its speed.
struct Machine {
    std::string name;
    int nodes = 1;
    int ranks_per_node = 1;
    double flops = 1e11;             ///< multiply-add peak of a rank, FLOP/s
    double share_of_peak = 0.8;      ///< that a large matrix product reaches
    double bytes_per_second = 2e10;  ///< of a rank's memory
    double memory = 0;               ///< bytes of a rank; 0: not known
    Link intra;                      ///< between ranks of a node
    Link inter;                      ///< between ranks of different nodes

    double bytes_per_value = 4;         ///< of weights, activations and gradients that are computed with and sent
    double overlap = 0;                 ///< share of the gradients' sum over data-parallel ranks that computing hides
    double attention_score_passes = 0;  ///< times a forward pass moves attention scores through memory; 0: fused
    bool recompute = false;             ///< layers keep their input alone and repeat their forward pass
    bool split_transfers = false;       ///< each tensor-parallel rank sends its share of activations to the next stage

    int ranks() const noexcept { return nodes * ranks_per_node; }
};

/// Reads a TOML file whose table [cluster] has the members of Machine as keys; nodes, ranks_per_node, flops,
/// bytes_per_second, intra and inter = { latency, bandwidth } are required. Throws InputError listing every problem.
Machine load_machine(const std::filesystem::path& file);
Machine parse_machine(std::string_view text, const std::string& source);

/// A number of bytes: a positive number, or text such as "2 GiB", "512 MiB", "1.5 GB".
std::optional<double> bytes_in(const FieldValue& value);

}  // namespace loglog
