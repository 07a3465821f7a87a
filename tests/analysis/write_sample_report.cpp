#include <cstdio>
#include <exception>

#include "tests/analysis/sample_attention_report.hpp"
#include "tests/analysis/sample_report.hpp"

// write_sample_report PAGE ATTENTION_PAGE: the pages that the browser tests open.
int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: write_sample_report PAGE ATTENTION_PAGE\n");
        return 2;
    }
    try {
        loglog::ReportOptions options;
        options.bootstrap = {200, loglog::Seed{1}, 2};
        write_report(analyse(loglog::sample_sweep_input(), options), argv[1]);
        write_report(analyse(loglog::sample_attention_input(), options), argv[2]);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "write_sample_report: %s\n", error.what());
        return 1;
    }
    return 0;
}
