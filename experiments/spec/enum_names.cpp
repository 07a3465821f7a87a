#include "experiments/spec/enum_names.hpp"

namespace loglog {

std::string to_string(ModelFamily value) { return name_of(value); }
std::string to_string(ActivationKind value) { return name_of(value); }
std::string to_string(ProbeTask value) { return name_of(value); }
std::string to_string(OptimizerKind value) { return name_of(value); }
std::string to_string(ScheduleKind value) { return name_of(value); }
std::string to_string(DecayKind value) { return name_of(value); }
std::string to_string(ParameterizationKind value) { return name_of(value); }
std::string to_string(Precision value) { return name_of(value); }
std::string to_string(PipelineSchedule value) { return name_of(value); }
std::string to_string(Reduction value) { return name_of(value); }

}  // namespace loglog
