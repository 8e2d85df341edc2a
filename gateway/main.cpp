#include "gateway/cli.hpp"
#include "gateway/process/crash_report.hpp"
#include "gateway/process/harden.hpp"

int main(int argc, char** argv) {
    tollgate::process::forbid_core_dumps(); // before a configuration with its secrets is read
    tollgate::process::report_crashes();
    return tollgate::run_command_line(argc, argv);
}
