#pragma once

#include <map>
#include <string>
#include <vector>

#include "sweeps/space/sweep_spec.hpp"

namespace loglog::detail {

/// Reads a list of numbers above 0, or a single such number; false if it is neither.
bool read_positive_numbers(const FieldValue& value, std::vector<double>& numbers);

/// Sorts the assignments of a sweep's file into a SweepSpec, and collects what is wrong with them.
class SweepReader {
  public:
    explicit SweepReader(std::vector<SpecProblem>& problems) : problems_{problems} {}

    void read(const Assignment& assignment);
    /// What can only be judged once everything was read.
    SweepSpec finish();

  private:
    void read_sweep_key(const Assignment& assignment, const std::string& key);
    void read_attention_key(const Assignment& assignment, const std::string& key);
    void read_seeds(const Assignment& assignment);
    void read_axis(const Assignment& assignment, const std::string& keys);
    bool read_range_part(const Assignment& assignment, const std::string& key);
    void finish_ranges();
    void check_kind();
    void check_comparison();
    void check_axes();
    void check_run_keys();
    void problem(const Assignment& assignment, std::string message);
    Axis* axis_of(const std::string& key);

    struct Range {
        Assignment first;  ///< of its parts, for the place
        std::map<std::string, double> parts;
    };

    std::vector<SpecProblem>& problems_;
    SweepSpec spec_;
    std::map<std::string, Assignment> given_;  ///< the sweep's own keys
    std::map<std::string, Range> ranges_;
};

}  // namespace loglog::detail
