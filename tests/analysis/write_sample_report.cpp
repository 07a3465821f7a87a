#include <cstdio>
#include <exception>

#include "tests/analysis/sample_report.hpp"

// write_sample_report PAGE: the page that the browser test opens.
int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: write_sample_report PAGE\n");
        return 2;
    }
    try {
        loglog::ReportOptions options;
        options.bootstrap = {200, loglog::Seed{1}, 2};
        write_report(analyse(loglog::sample_report_input(), options), argv[1]);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "write_sample_report: %s\n", error.what());
        return 1;
    }
    return 0;
}
