#include "gateway/cli.hpp"

int main(int argc, char** argv) {
    return tollgate::run_command_line(argc, argv);
}
