#include "engine/storage_format.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <utility>

#include "engine/controller/bootstrap.h"
#include "engine/drivers/snapshot_file.h"
#include "io/file.h"

namespace millrace::engine {
namespace {

std::string joined(const std::string& directory, std::string_view name) {
  return fmt::format("{}/{}", directory, name);
}

// Java's properties as far as this file uses them: key, '=' or ':', value; lines of '#' or '!' are
// comments.
std::map<std::string, std::string, std::less<>> parse_properties(std::string_view text) {
  std::map<std::string, std::string, std::less<>> found;
  const auto trimmed = [](std::string_view part) {
    const auto first = part.find_first_not_of(" \t\r\f");
    if (first == std::string_view::npos) return std::string_view();
    return part.substr(first, part.find_last_not_of(" \t\r\f") - first + 1);
  };
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.empty() || line.front() == '#' || line.front() == '!') continue;
    const auto separator = line.find_first_of("=:");
    if (separator == std::string_view::npos) continue;
    std::string value(trimmed(line.substr(separator + 1)));
    std::erase(value, '\\');
    found.insert_or_assign(std::string(trimmed(line.substr(0, separator))), std::move(value));
  }
  return found;
}

std::unexpected<Error> bad_properties(std::string why) {
  return fail(Errc::malformed, "meta.properties: " + std::move(why));
}

// A directory that others do not use; Kafka keeps the first hundred ids for itself.
Uuid draw_directory_id(Prng& prng) {
  while (true) {
    const std::uint64_t most = prng.next();
    const Uuid id = Uuid::from_random(most, prng.next());
    if (id.to_string().front() != '-') return id;
  }
}

Result<void> make_directories(io::Proactor& proactor, const std::string& path) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    const auto made = proactor.make_directory(part);
    if (made) {
      TRY_DONE(proactor.sync_directory(io::directory_of(part)));
    } else if (made.error() != Errc::already_exists) {
      return fail(made.error().code,
                  fmt::format("cannot make directory {}: {}", part, made.error().message));
    }
    if (slash == std::string::npos) return {};
  }
}

Result<void> write_identity(io::Proactor& proactor, const std::string& directory,
                            const MetaProperties& properties) {
  TRY_DONE(make_directories(proactor, directory));
  return io::replace_small_file(proactor, joined(directory, kMetaPropertiesFile),
                                as_bytes(encode_meta_properties(properties)));
}

Result<void> check_agreement(const StorageIdentity& storage) {
  std::map<Uuid, std::string> ids;
  for (const DirectoryIdentity& directory : storage.directories) {
    if (!directory.properties) continue;
    if (directory.properties->cluster_id != storage.cluster_id) {
      return fail(Errc::corrupt, fmt::format("{} belongs to cluster {}, others of log.dirs to {}; "
                                             "a node has the directories of one "
                                             "cluster only",
                                             directory.path, directory.properties->cluster_id,
                                             storage.cluster_id));
    }
    if (directory.properties->node_id != storage.node_id) {
      return fail(Errc::corrupt,
                  fmt::format("{} belongs to node {}, others of log.dirs to {}", directory.path,
                              directory.properties->node_id.value(), storage.node_id.value()));
    }
    if (directory.properties->directory_id.is_zero()) continue;
    const auto [at, added] = ids.emplace(directory.properties->directory_id, directory.path);
    if (!added) {
      return fail(Errc::corrupt,
                  fmt::format("{} and {} have the same directory.id {}: one is a copy of the other",
                              at->second, directory.path, at->first.to_string()));
    }
  }
  return {};
}

}  // namespace

std::string encode_meta_properties(const MetaProperties& properties) {
  return fmt::format("#\nnode.id={}\ndirectory.id={}\nversion=1\ncluster.id={}\n",
                     properties.node_id.value(), properties.directory_id.to_string(),
                     properties.cluster_id);
}

Result<MetaProperties> parse_meta_properties(std::string_view text) {
  const auto found = parse_properties(text);
  const auto value = [&](std::string_view key) {
    const auto at = found.find(key);
    return at == found.end() ? std::string() : at->second;
  };
  if (value("version") == "0") {
    return fail(
        Errc::unsupported,
        "meta.properties: version 0 is of a cluster with ZooKeeper, which cannot be taken over");
  }
  if (value("version") != "1")
    return bad_properties(fmt::format("version is '{}', not 1", value("version")));
  MetaProperties properties{.cluster_id = value("cluster.id")};
  if (properties.cluster_id.empty()) return bad_properties("cluster.id is missing");
  const std::string node = value("node.id");
  std::int32_t node_id = -1;
  const auto [end, error] = std::from_chars(node.data(), node.data() + node.size(), node_id);
  if (error != std::errc{} || end != node.data() + node.size() || node_id < 0) {
    return bad_properties(fmt::format("node.id is '{}', not a number from 0", node));
  }
  properties.node_id = BrokerId(node_id);
  if (found.contains("directory.id")) {
    const auto id = Uuid::parse(value("directory.id"));
    if (!id)
      return bad_properties(fmt::format("directory.id is '{}', not an id", value("directory.id")));
    properties.directory_id = *id;
  }
  return properties;
}

bool StorageIdentity::formatted() const {
  return std::ranges::any_of(
      directories, [](const auto& directory) { return directory.properties.has_value(); });
}

Result<StorageIdentity> read_storage(io::Proactor& proactor,
                                     const std::vector<std::string>& log_dirs) {
  StorageIdentity storage;
  for (const std::string& path : log_dirs) {
    DirectoryIdentity& directory = storage.directories.emplace_back();
    directory.path = path;
    const std::string file = joined(path, kMetaPropertiesFile);
    const auto text = io::read_small_file(proactor, file, 64 * 1024);
    if (!text) {
      if (text.error() == Errc::not_found) continue;
      return fail(text.error().code, fmt::format("{}: {}", file, text.error().message));
    }
    auto properties = parse_meta_properties(*text);
    if (!properties)
      return fail(properties.error().code, fmt::format("{}: {}", path, properties.error().message));
    if (!storage.formatted()) {
      storage.cluster_id = properties->cluster_id;
      storage.node_id = properties->node_id;
    }
    directory.properties = std::move(*properties);
  }
  TRY_DONE(check_agreement(storage));
  return storage;
}

namespace {

// What a formatting that was cut short may have left of the metadata's directory: the snapshot that names the voters.
Result<bool> holds_records(io::Proactor& proactor, const std::string& metadata_directory) {
  TRY(entries, proactor.list(metadata_directory));
  return !std::ranges::all_of(entries, [](const auto& entry) {
    return entry.name.starts_with(snapshot_file_name({}));
  });
}

// A directory of somebody else's is not taken over because log.dirs names it.
Result<void> check_ours(io::Proactor& proactor, const StorageIdentity& storage) {
  for (const DirectoryIdentity& directory : storage.directories) {
    if (directory.properties) continue;
    TRY(foreign, foreign_entry(proactor, directory.path));
    if (!foreign) continue;
    return fail(Errc::invalid_argument,
                fmt::format("{} holds {} and no {}: it is no broker's directory, or not all of one; name an empty directory "
                            "in log.dirs, or run `millrace format` if this one is to be used all the same",
                            directory.path, *foreign, kMetaPropertiesFile));
  }
  return {};
}

}  // namespace

Result<std::optional<std::string>> foreign_entry(io::Proactor& proactor, const std::string& directory) {
  const auto entries = proactor.list(directory);
  if (!entries && entries.error() == Errc::not_found) return std::optional<std::string>();
  if (!entries) return fail(entries.error().code, fmt::format("{}: {}", directory, entries.error().message));
  for (const auto& entry : *entries) {
    // A file system of its own has the first from the start.
    if (entry.name == "lost+found" || entry.name == kLockFile) continue;
    if (entry.name.starts_with(kBootstrapFile) || entry.name.starts_with(kMetaPropertiesFile)) continue;
    if (entry.name == kMetadataLogDirectory && entry.is_directory) {
      TRY(records, holds_records(proactor, joined(directory, kMetadataLogDirectory)));
      if (!records) continue;
    }
    return std::optional(entry.name);
  }
  return std::optional<std::string>();
}

Result<void> refuse_foreign(io::Proactor& proactor, const std::vector<std::string>& directories) {
  TRY(storage, read_storage(proactor, directories));
  return check_ours(proactor, storage);
}

Result<StorageIdentity> claim_directories(io::Proactor& proactor,
                                          const std::vector<std::string>& log_dirs,
                                          BrokerId node_id, Prng& prng) {
  TRY(storage, read_storage(proactor, log_dirs));
  TRY_DONE(check_ours(proactor, storage));
  if (!storage.formatted()) {
    return fail(Errc::not_found, fmt::format("{} is not formatted; run `millrace format` first",
                                             log_dirs.empty() ? "" : log_dirs[0]));
  }
  if (storage.node_id != node_id) {
    return fail(
        Errc::invalid_argument,
        fmt::format(
            "{} belongs to node {}, but node.id is {}; set node.id={} or use other log.dirs",
            storage.directories.front().path, storage.node_id.value(), node_id.value(),
            storage.node_id.value()));
  }
  for (DirectoryIdentity& directory : storage.directories) {
    if (directory.properties && !directory.properties->directory_id.is_zero()) continue;
    directory.properties =
        MetaProperties{storage.cluster_id, storage.node_id, draw_directory_id(prng)};
    TRY_DONE(write_identity(proactor, directory.path, *directory.properties));
  }
  return std::move(storage);
}

std::string random_cluster_id(Prng& prng) {
  return draw_directory_id(prng).to_string();
}

// ---- Formatting

namespace {

// The characters and length that Kafka's ids have; what cannot be one would only be refused later,
// by others.
bool is_cluster_id(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  };
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, allowed);
}

// What the cluster will begin with. Errors: invalid_argument.
Result<FeatureLevels> feature_levels(const FormatOptions& options) {
  FeatureLevels levels = default_feature_levels(options.metadata_version);
  for (const auto& [name, level] : options.features) {
    const SupportedFeature* const feature = supported_feature(name);
    if (feature == nullptr || name == kMetadataVersionFeature) {
      return fail(Errc::invalid_argument, fmt::format("'{}' is no feature that can be chosen here", name));
    }
    if (level < feature->min_level || level > feature->max_level) {
      return fail(Errc::invalid_argument, fmt::format("{} {} is outside of {} to {}", name, level,
                                                      feature->min_level, feature->max_level));
    }
    if (level > 0 && options.metadata_version < feature->needs_metadata_version) {
      return fail(Errc::invalid_argument, fmt::format("{} {} needs metadata.version {} or later", name, level,
                                                      feature->needs_metadata_version));
    }
    levels.set(name, level);
  }
  return levels;
}

Result<void> check_format(const FormatOptions& options, const StorageIdentity& present) {
  if (!is_cluster_id(options.cluster_id)) {
    return fail(Errc::invalid_argument, fmt::format("'{}' is no cluster id: letters, digits, '-' "
                                                    "and '_' only; `millrace format --cluster-id "
                                                    "random` draws one",
                                                    options.cluster_id));
  }
  if (options.log_dirs.empty()) return fail(Errc::invalid_argument, "log.dirs is empty");
  if (metadata_version(options.metadata_version) == nullptr) {
    return fail(Errc::invalid_argument,
                fmt::format("metadata.version {} is outside of {} to {}", options.metadata_version,
                            kMetadataVersionMin, kMetadataVersionMax));
  }
  if (options.standalone && options.metadata_version < 21) {
    return fail(Errc::invalid_argument,
                "a standalone voter needs metadata.version 3.9-IV0 or later; leave --standalone "
                "out and set "
                "controller.quorum.voters");
  }
  TRY_DONE(feature_levels(options));
  if (!present.formatted()) return {};
  if (!options.ignore_formatted) {
    return fail(Errc::already_exists,
                fmt::format("{} is formatted already, for cluster {}; use --ignore-formatted to "
                            "format only what is not",
                            present.directories.front().path, present.cluster_id));
  }
  if (present.cluster_id != options.cluster_id || present.node_id != options.node_id) {
    return fail(
        Errc::invalid_argument,
        fmt::format("log.dirs holds directories of cluster {}, node {}, not of cluster {}, node {}",
                    present.cluster_id, present.node_id.value(), options.cluster_id,
                    options.node_id.value()));
  }
  return {};
}

Result<void> write_bootstrap(io::Proactor& proactor, const FormatOptions& options, WallTime now) {
  TRY(levels, feature_levels(options));
  const SnapshotContents contents{.voters = std::nullopt, .records = bootstrap_records(levels)};
  return io::replace_small_file(proactor, joined(options.metadata_log_dir, kBootstrapFile),
                                encode_snapshot(contents, LeaderEpoch(0), now));
}

// The snapshot before the first record, which says who votes.
Result<void> write_voters(io::Proactor& proactor, const FormatOptions& options,
                          const Uuid& directory_id, WallTime now) {
  const SnapshotContents contents{.last_contained_log_timestamp = now.ms,
                                  .voters = log::VotersRecord{{{.id = options.node_id,
                                                                .directory_id = directory_id,
                                                                .endpoints = {*options.standalone},
                                                                .kraft_version_min = 0,
                                                                .kraft_version_max = 1}}},
                                  .records = {}};
  const std::string directory = joined(options.metadata_log_dir, kMetadataLogDirectory);
  TRY_DONE(make_directories(proactor, directory));
  return io::replace_small_file(proactor, joined(directory, snapshot_file_name({})),
                                encode_snapshot(contents, LeaderEpoch(0), now));
}

}  // namespace

Result<FormatReport> format_storage(io::Proactor& proactor, const FormatOptions& options,
                                    Prng& prng, WallTime now) {
  std::vector<std::string> paths = options.log_dirs;
  if (std::ranges::find(paths, options.metadata_log_dir) == paths.end())
    paths.push_back(options.metadata_log_dir);
  TRY(present, read_storage(proactor, paths));
  TRY_DONE(check_format(options, present));
  FormatReport report;
  std::vector<std::string> unformatted;
  for (const DirectoryIdentity& directory : present.directories) {
    (directory.properties ? report.left_alone : unformatted).push_back(directory.path);
  }
  // The metadata's directory last: it is formatted only when all that belongs to it is there.
  const auto metadata = std::ranges::find(unformatted, options.metadata_log_dir);
  if (metadata != unformatted.end()) std::rotate(metadata, metadata + 1, unformatted.end());
  for (const std::string& path : unformatted) {
    const MetaProperties properties{options.cluster_id, options.node_id, draw_directory_id(prng)};
    TRY_DONE(make_directories(proactor, path));
    if (path == options.metadata_log_dir) {
      TRY_DONE(write_bootstrap(proactor, options, now));
      if (options.standalone)
        TRY_DONE(write_voters(proactor, options, properties.directory_id, now));
    }
    TRY_DONE(write_identity(proactor, path, properties));
    report.formatted.push_back(path);
  }
  return report;
}

Result<std::vector<VersionedRecord>> read_bootstrap_records(io::Proactor& proactor,
                                                            const std::string& metadata_log_dir) {
  const std::string file = joined(metadata_log_dir, kBootstrapFile);
  const auto bytes = io::read_small_file(proactor, file);
  if (!bytes) {
    if (bytes.error() == Errc::not_found) return default_bootstrap_records(kMetadataVersionMax);
    return fail(bytes.error().code, fmt::format("{}: {}", file, bytes.error().message));
  }
  auto contents = decode_snapshot(as_bytes(*bytes));
  if (!contents)
    return fail(contents.error().code, fmt::format("{}: {}", file, contents.error().message));
  return std::move(contents->records);
}

}  // namespace millrace::engine
