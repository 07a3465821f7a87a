#pragma once

namespace loglog {

/// Single-precision FLOP/s (2 per fused multiply-add) that `threads` threads reach together, with operands in registers
/// and the widest instructions this machine has. The sum of each thread's best of many short trials, so that other work
/// on the machine hardly shows; takes about 30 ms.
double measured_fma_peak(int threads);

/// What this machine's memory delivers to a[i] = b[i] + s c[i], in bytes per second, counting the three arrays once
/// each (McCalpin 1995, STREAM).
struct TriadRates {
    double l2 = 0;    ///< each thread's arrays in half of its second-level cache
    double l3 = 0;    ///< all arrays in a quarter of the last-level cache
    double dram = 0;  ///< all arrays four times the last-level cache, within 64 MiB to 512 MiB
};

struct Ceilings {
    int threads = 1;
    double fma_flops = 0;  ///< FLOP/s, see measured_fma_peak
    TriadRates triad;
};

/// Measures all of them; takes about a second.
Ceilings measure_ceilings(int threads);

}  // namespace loglog
