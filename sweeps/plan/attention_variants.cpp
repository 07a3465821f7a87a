#include "sweeps/plan/attention_variants.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "engine/base/error.hpp"
#include "experiments/spec/fields.hpp"

namespace loglog::detail {
namespace {

// What attentions may differ in besides model.attention and train.optimizer: nothing that sizes, data or FLOPs are
// compared by.
constexpr std::array<std::string_view, 10> own_keys{
    "model.norm",     "model.positions", "model.activation", "model.heads",   "model.kv_heads",
    "model.head_dim", "model.qkv_bias",  "model.bias",       "model.qk_norm", "model.mlp_width"};

bool may_differ(const std::string& key) {
    return key.starts_with("model.attention.") || key.starts_with("train.optimizer.") ||
           std::find(own_keys.begin(), own_keys.end(), key) != own_keys.end();
}

bool is_dense(const AttentionSpec& attention) {
    return attention.kind == AttentionKind::dense && attention.every < 2 && attention.layers.empty();
}

class VariantMaker {
  public:
    VariantMaker(const SweepSpec& sweep, const DataVocab& data_vocab, CostBook& costs)
        : sweep_{sweep}, data_vocab_{data_vocab}, costs_{costs} {}

    Variants make() {
        Variants variants;
        std::optional<std::size_t> dense;
        for (const AttentionChoice& choice : sweep_.comparison.attentions) {
            if (auto variant = variant_of(choice)) {
                const AttentionSpec& attention = variant->sizes.front().spec.model.attention;
                if (!dense && is_dense(attention)) { dense = variants.compared.size(); }
                variants.compared.push_back(std::move(*variant));
            }
        }
        throw_if_any(problems_);
        if (!dense) {
            problems_.push_back({place(), "sweep.attentions",
                                 "has no \"dense\": all others are compared with it, so it has to be there"});
            throw_if_any(problems_);
        }
        variants.dense = *dense;
        variants.control = control_of(variants.compared[*dense]);
        check_names(variants);
        throw_if_any(problems_);
        return variants;
    }

  private:
    SourcePlace place() const {
        const auto& attentions = sweep_.comparison.attentions;
        return attentions.empty() || attentions.front().assignments.empty()
                   ? SourcePlace{}
                   : attentions.front().assignments.front().place;
    }

    std::optional<Variant> variant_of(const AttentionChoice& choice) {
        const std::size_t problems_before = problems_.size();
        for (const Assignment& assignment : choice.assignments) {
            if (may_differ(assignment.key)) { continue; }
            problems_.push_back({assignment.place, "sweep.attentions",
                                 fmt::format("{}: {} must be the same for all attentions: give it for the whole sweep",
                                             choice.text, assignment.key)});
        }
        Variant variant;
        for (const std::int64_t width : sweep_.comparison.widths) {
            if (auto sized = sized_variant(choice, width)) { variant.sizes.push_back(std::move(*sized)); }
        }
        if (problems_.size() > problems_before) { return std::nullopt; }
        variant.name = attention_name(variant.sizes.front().spec.model.attention);
        variant.lr = variant.sizes.front().spec.train.optimizer.lr;
        return variant;
    }

    std::optional<SizedVariant> sized_variant(const AttentionChoice& choice, std::int64_t width) {
        const std::size_t problems_before = problems_.size();
        const SourcePlace where = choice.assignments.empty() ? place() : choice.assignments.front().place;
        std::vector<Assignment> assignments = sweep_.base;
        assignments.push_back({"model.width", {width}, where});
        assignments.insert(assignments.end(), choice.assignments.begin(), choice.assignments.end());
        assign_layers(sweep_, assignments);
        RunSpec spec = spec_from(assignments, problems_);
        if (problems_.size() > problems_before) { return std::nullopt; }
        give_defaults(spec);
        try {
            return SizedVariant{spec, costs_.cost(resolve(spec, data_vocab_(spec)))};
        } catch (const InputError& error) {
            problems_.push_back({where, "", fmt::format("{}, width {}: {}", choice.text, width, error.what())});
            return std::nullopt;
        }
    }

    void give_defaults(RunSpec& spec) const {
        const std::int64_t base_width = sweep_.comparison.widths.front();
        const bool has_layers = gives(sweep_, "model.layers");
        TrainSpec& train = spec.train;
        if (!gives(sweep_, "train.parameterization")) { train.parameterization = ParameterizationKind::mup; }
        if (!gives(sweep_, "train.mup.base_width")) { train.mup.base_width = base_width; }
        if (!gives(sweep_, "train.mup.base_layers")) {
            train.mup.base_layers = has_layers ? spec.model.layers : layers_from_aspect(sweep_, base_width);
        }
    }

    static Variant control_of(const Variant& dense) {
        Variant control = dense;
        control.name = dense.name + "-aa";
        for (SizedVariant& size : control.sizes) { size.spec.model.attention.label = control.name; }
        return control;
    }

    void check_names(const Variants& variants) {
        std::vector<std::string> names{variants.control.name};
        for (const Variant& variant : variants.compared) {
            if (std::find(names.begin(), names.end(), variant.name) != names.end()) {
                problems_.push_back(
                    {place(), "sweep.attentions",
                     fmt::format("two are called '{0}': give one of them a name of its own, such as {{ kind = \"{0}\", "
                                 "label = \"{0}-2\" }}",
                                 variant.name)});
            }
            names.push_back(variant.name);
        }
    }

    const SweepSpec& sweep_;
    const DataVocab& data_vocab_;
    CostBook& costs_;
    std::vector<SpecProblem> problems_;
};

}  // namespace

Variants attention_variants(const SweepSpec& sweep, const DataVocab& data_vocab, CostBook& costs) {
    return VariantMaker{sweep, data_vocab, costs}.make();
}

}  // namespace loglog::detail
