#include <cstdio>
#include <exception>

#include "experiments/run/curves.hpp"

/// write_sample_curves FILE: the curves that curves_h5py_test.py expects.
int main(int argc, char** argv) {
    using namespace loglog;
    if (argc != 2) { return 2; }
    try {
        Curves curves;
        for (int step = 1; step <= 1500; ++step) {
            StepLine line;
            line.step = step;
            line.loss = 10.0 / step;
            line.lr = 0.004;
            line.tokens = step * std::int64_t{8192};
            line.flops = step * 1e9;
            line.clipped = step % 2 == 0;
            curves.train.push_back(line);
        }
        curves.eval = {{500, 4'096'000, 3.5, 1.25, 33.1, {4.0, 3.0}}, {1500, 12'288'000, 2.5, 0.9, 12.2, {3.0, 2.0}}};
        curves.eval[1].accuracy = 0.75;
        curves.eval[1].by_length = {{16, 0.875, 0.5}, {32, 0.625, 0.25}};
        curves.eval[0].recall_loss = 4.5;
        write_curves(argv[1], curves, {"3f2a9c01d4be", R"({"model":{"width":64}})", "ok"});
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
