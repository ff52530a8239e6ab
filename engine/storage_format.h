// What makes a directory a node's own: meta.properties in each directory of `log.dirs`, and
// bootstrap.checkpoint, the cluster's first records, in the metadata log's. In Kafka's forms, so
// that Kafka's tools read them.
//
// All calls are inline: for `format`, the start and tools.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/prng.h"
#include "base/result.h"
#include "base/time.h"
#include "engine/log/format/control_record.h"
#include "engine/metadata/features.h"
#include "engine/metadata/records.h"
#include "io/proactor.h"

namespace millrace::engine {

inline constexpr std::string_view kMetaPropertiesFile = "meta.properties";
inline constexpr std::string_view kBootstrapFile = "bootstrap.checkpoint";
inline constexpr std::string_view kMetadataLogDirectory = "__cluster_metadata-0";
// Kafka's name for the lock on a directory.
inline constexpr std::string_view kLockFile = ".lock";

// Who a directory belongs to.
struct MetaProperties {
  std::string cluster_id;
  BrokerId node_id = kNoBroker;
  // Zero when the file has none, as Kafka wrote it before 3.7; claim_directories() adds one.
  Uuid directory_id;
  bool operator==(const MetaProperties&) const = default;
};
std::string encode_meta_properties(const MetaProperties& properties);
// Errors: malformed (a key is missing or not what it should be), unsupported (version 0, of a
// cluster with ZooKeeper).
Result<MetaProperties> parse_meta_properties(std::string_view text);

struct DirectoryIdentity {
  std::string path;
  // Empty: not formatted; a directory that is not there counts as such.
  std::optional<MetaProperties> properties;
};
struct StorageIdentity {
  std::vector<DirectoryIdentity> directories;  // in the order of log.dirs
  bool formatted() const;                      // at least one is
  // Of those that are formatted; they agree.
  std::string cluster_id;
  BrokerId node_id = kNoBroker;
};
// What stands in the directories. Errors: corrupt when two disagree about cluster or node, or share
// a directory id; those of parse_meta_properties, naming the file; io_error.
Result<StorageIdentity> read_storage(io::Proactor& proactor,
                                     const std::vector<std::string>& log_dirs);

// The first entry of a directory without meta.properties that neither a file system nor a formatting that was cut short leaves
// there. Empty when there is none, or no such directory. Errors: io_error.
Result<std::optional<std::string>> foreign_entry(io::Proactor& proactor, const std::string& directory);

// Whether each of them is formatted or may be. Before anything is written to them. Errors: invalid_argument (a directory that
// holds something else, with what to do), those of read_storage().
Result<void> refuse_foreign(io::Proactor& proactor, const std::vector<std::string>& directories);

// Before a start: checks that the storage is formatted and belongs to `node_id`, and formats those
// of its directories that are empty, or have no id yet, as part of it. Errors: not_found (nothing
// is formatted), invalid_argument (another node's; a directory that holds something else).
Result<StorageIdentity> claim_directories(io::Proactor& proactor,
                                          const std::vector<std::string>& log_dirs,
                                          BrokerId node_id, Prng& prng);

struct FormatOptions {
  std::vector<std::string> log_dirs;
  std::string metadata_log_dir;  // one of log_dirs, or another
  std::string cluster_id;
  BrokerId node_id;
  std::int16_t metadata_version = kMetadataVersionMax;
  // Levels of other features, where they are not to be what a new cluster at that metadata.version begins with; 0: none.
  std::vector<std::pair<std::string, std::int16_t>> features;
  // Directories that are formatted already are left as they are instead of refused.
  bool ignore_formatted = false;
  // The address of this node's controller, "NAME", host, port: it is then the only voter, and says
  // so in a snapshot of its own (kraft.version 1), so that voters can be added later. Empty: voters
  // are those of controller.quorum.voters.
  std::optional<log::VotersRecord::Endpoint> standalone;
};
struct FormatReport {
  std::vector<std::string> formatted;
  std::vector<std::string> left_alone;
};
// Makes directories that are not there. Durable on return.
//
// Errors: already_exists (formatted, and not ignore_formatted), invalid_argument (a bad cluster id
// or version; a formatted one of another cluster or node), disk_full, io_error.
Result<FormatReport> format_storage(io::Proactor& proactor, const FormatOptions& options,
                                    Prng& prng, WallTime now);

// Sixteen random bytes in Kafka's form, as cluster ids are.
std::string random_cluster_id(Prng& prng);

// What format left for the controller that finds an empty log. Without the file: a cluster at the
// newest metadata.version and what comes with it.
Result<std::vector<VersionedRecord>> read_bootstrap_records(io::Proactor& proactor,
                                                            const std::string& metadata_log_dir);

}  // namespace millrace::engine
