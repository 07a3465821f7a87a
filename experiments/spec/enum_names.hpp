#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "distributed/collectives/reduction.hpp"
#include "distributed/pipeline_parallel/schedule.hpp"
#include "experiments/spec/model_spec.hpp"
#include "experiments/spec/run_spec.hpp"
#include "experiments/spec/train_spec.hpp"

namespace loglog {

/// The text form of every enumerator, as written in specs and stored in the registry.
template <class Enum>
struct EnumNames;

template <>
struct EnumNames<ModelFamily> {
    static constexpr std::array values{std::pair{ModelFamily::decoder, std::string_view{"decoder"}}};
};
template <>
struct EnumNames<NormKind> {
    static constexpr std::array values{std::pair{NormKind::layer, std::string_view{"layer"}},
                                       std::pair{NormKind::rms, std::string_view{"rms"}}};
};
template <>
struct EnumNames<PositionKind> {
    static constexpr std::array values{std::pair{PositionKind::learned, std::string_view{"learned"}},
                                       std::pair{PositionKind::rotary, std::string_view{"rotary"}},
                                       std::pair{PositionKind::none, std::string_view{"none"}}};
};
template <>
struct EnumNames<ActivationKind> {
    static constexpr std::array values{std::pair{ActivationKind::gelu, std::string_view{"gelu"}},
                                       std::pair{ActivationKind::gelu_erf, std::string_view{"gelu_erf"}},
                                       std::pair{ActivationKind::relu, std::string_view{"relu"}},
                                       std::pair{ActivationKind::swiglu, std::string_view{"swiglu"}},
                                       std::pair{ActivationKind::none, std::string_view{"none"}}};
};
template <>
struct EnumNames<AttentionKind> {
    static constexpr std::array values{std::pair{AttentionKind::dense, std::string_view{"dense"}},
                                       std::pair{AttentionKind::window, std::string_view{"window"}},
                                       std::pair{AttentionKind::strided, std::string_view{"strided"}},
                                       std::pair{AttentionKind::fixed, std::string_view{"fixed"}},
                                       std::pair{AttentionKind::bigbird, std::string_view{"bigbird"}},
                                       std::pair{AttentionKind::dilated, std::string_view{"dilated"}},
                                       std::pair{AttentionKind::pattern, std::string_view{"pattern"}},
                                       std::pair{AttentionKind::moba, std::string_view{"moba"}},
                                       std::pair{AttentionKind::elu, std::string_view{"elu"}},
                                       std::pair{AttentionKind::relu, std::string_view{"relu"}},
                                       std::pair{AttentionKind::performer, std::string_view{"performer"}},
                                       std::pair{AttentionKind::cosformer, std::string_view{"cosformer"}},
                                       std::pair{AttentionKind::retention, std::string_view{"retention"}},
                                       std::pair{AttentionKind::lightning, std::string_view{"lightning"}},
                                       std::pair{AttentionKind::ssd, std::string_view{"ssd"}},
                                       std::pair{AttentionKind::gla, std::string_view{"gla"}},
                                       std::pair{AttentionKind::deltanet, std::string_view{"deltanet"}},
                                       std::pair{AttentionKind::gdn, std::string_view{"gdn"}}};
};
template <>
struct EnumNames<ProbeTask> {
    static constexpr std::array values{std::pair{ProbeTask::none, std::string_view{"none"}},
                                       std::pair{ProbeTask::mqar, std::string_view{"mqar"}},
                                       std::pair{ProbeTask::copy, std::string_view{"copy"}},
                                       std::pair{ProbeTask::palindrome, std::string_view{"palindrome"}},
                                       std::pair{ProbeTask::induction, std::string_view{"induction"}},
                                       std::pair{ProbeTask::noisy_copy, std::string_view{"noisy_copy"}}};
};
template <>
struct EnumNames<OptimizerKind> {
    static constexpr std::array values{std::pair{OptimizerKind::adamw, std::string_view{"adamw"}}};
};
template <>
struct EnumNames<ScheduleKind> {
    static constexpr std::array values{std::pair{ScheduleKind::constant, std::string_view{"constant"}},
                                       std::pair{ScheduleKind::cosine, std::string_view{"cosine"}},
                                       std::pair{ScheduleKind::wsd, std::string_view{"wsd"}}};
};
template <>
struct EnumNames<DecayKind> {
    static constexpr std::array values{std::pair{DecayKind::linear, std::string_view{"linear"}},
                                       std::pair{DecayKind::sqrt, std::string_view{"sqrt"}}};
};
template <>
struct EnumNames<ParameterizationKind> {
    static constexpr std::array values{std::pair{ParameterizationKind::sp, std::string_view{"sp"}},
                                       std::pair{ParameterizationKind::mup, std::string_view{"mup"}}};
};
template <>
struct EnumNames<Precision> {
    static constexpr std::array values{std::pair{Precision::fp32, std::string_view{"fp32"}},
                                       std::pair{Precision::bf16, std::string_view{"bf16"}},
                                       std::pair{Precision::fp16, std::string_view{"fp16"}}};
};
template <>
struct EnumNames<PipelineSchedule> {
    static constexpr std::array values{std::pair{PipelineSchedule::gpipe, std::string_view{"gpipe"}},
                                       std::pair{PipelineSchedule::one_f_one_b, std::string_view{"1f1b"}},
                                       std::pair{PipelineSchedule::interleaved, std::string_view{"interleaved"}},
                                       std::pair{PipelineSchedule::zb_h1, std::string_view{"zb-h1"}}};
};
template <>
struct EnumNames<Reduction> {
    static constexpr std::array values{std::pair{Reduction::fast, std::string_view{"fast"}},
                                       std::pair{Reduction::tree, std::string_view{"tree"}}};
};

template <class Enum>
std::string name_of(Enum value) {
    for (const auto& [enumerator, name] : EnumNames<Enum>::values) {
        if (enumerator == value) { return std::string{name}; }
    }
    return {};
}

/// "gelu, gelu_erf, relu or swiglu".
template <class Enum>
std::string alternatives() {
    const auto& values = EnumNames<Enum>::values;
    std::string text;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (i > 0) { text += i + 1 == values.size() ? " or " : ", "; }
        text += values[i].second;
    }
    return text;
}

}  // namespace loglog
