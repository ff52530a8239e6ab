#include "cli/doctor.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "cli/machine_facts.h"
#include "cli/output.h"

namespace millrace::cli {
namespace {

struct DoctorCommand {
  OutputFormat format = OutputFormat::table;
  std::vector<std::string> directories = {"data"};
  bool strict = false;

  Exit run() const {
    const std::vector<Verdict> verdicts = judge(gather_facts(directories));
    format == OutputFormat::json ? print_rows(verdicts) : print_text(verdicts);
    const auto warnings = std::ranges::count(verdicts, false, &Verdict::ok);
    return strict && warnings > 0 ? Exit::failed : Exit::done;
  }

  static void print_rows(const std::vector<Verdict>& verdicts) {
    Table table({"check", "status", "found", "cost", "mend"});
    for (const Verdict& verdict : verdicts) {
      table.add(
          {verdict.check, verdict.ok ? "ok" : "warn", verdict.found, verdict.cost, verdict.mend});
    }
    table.print(OutputFormat::json);
  }

  static void print_text(const std::vector<Verdict>& verdicts) {
    std::size_t width = 0;
    for (const Verdict& verdict : verdicts) width = std::max(width, verdict.check.size());
    for (const Verdict& verdict : verdicts) {
      print_out("{:<4}  {:<{}}  {}\n", verdict.ok ? "ok" : "warn", verdict.check, width,
                 verdict.found);
      if (verdict.ok) continue;
      print_out("      {:<{}}  costs: {}\n", "", width, verdict.cost);
      print_out("      {:<{}}  mend:  {}\n", "", width, verdict.mend);
    }
    const auto warnings = std::ranges::count(verdicts, false, &Verdict::ok);
    print_out("{} checks, {} warning{}\n", verdicts.size(), warnings, warnings == 1 ? "" : "s");
  }
};

Action define(CLI::App& app) {
  auto command = std::make_shared<DoctorCommand>();
  app.add_option("DIRECTORY", command->directories, "Directories that are to hold logs")
      ->capture_default_str();
  add_format_option(app, command->format);
  app.add_flag("--strict", command->strict, "End with exit code 1 when there is a warning");
  return [command] { return command->run(); };
}

}  // namespace

const Command kDoctorCommand = {"doctor",
                                "Check kernel, io_uring, limits, file systems, cores and clock: "
                                "what costs latency, and how to mend it.",
                                define, "  millrace doctor /var/lib/millrace"};

}  // namespace millrace::cli
