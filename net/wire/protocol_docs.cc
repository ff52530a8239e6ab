#include "net/wire/protocol_docs.h"

#include <fmt/core.h>

#include "net/wire/api_key.h"
#include "net/wire/error_code.h"

namespace millrace::wire {
namespace {

std::string versions_text(const VersionRange& versions) {
  if (versions.min == versions.max) return std::to_string(versions.min);
  return fmt::format("{}–{}", versions.min, versions.max);
}

std::string api_rows() {
  std::string rows;
  for (const ApiInfo& api : all_apis()) {
    rows += fmt::format(
        "| {} | {} | {} | {} |\n", static_cast<int>(api.key), api.name, versions_text(api.versions),
        api.flexible_since == kNoVersion ? "never" : std::to_string(api.flexible_since));
  }
  return rows;
}

std::string error_rows() {
  std::string rows;
  for (const ErrorInfo& error : all_errors()) {
    rows += fmt::format("| {} | {} | {} | {} |\n", static_cast<int>(error.code), error.name,
                        error.retriable ? "yes" : "", error.text);
  }
  return rows;
}

}  // namespace

std::string protocol_reference() {
  return "# The protocol\n\n"
         "Written by `millrace_docs --rewrite` from the tables in net/wire; do not edit.\n\n"
         "## APIs\n\n"
         "What Millrace's codec speaks: Kafka 4.2's versions. A broker advertises through "
         "ApiVersions "
         "those that it answers. From the flexible version on, lengths are compact and fields may "
         "be "
         "tagged.\n\n"
         "| key | API | versions | flexible from |\n|---:|---|---|---|\n" +
         api_rows() +
         "\n## Errors\n\n"
         "A client may send the same request again after a retriable error.\n\n"
         "| code | name | retriable | meaning |\n|---:|---|---|---|\n" +
         error_rows();
}

}  // namespace millrace::wire
