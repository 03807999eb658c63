#include "cli/trial_certificates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "base/rpc/tls.h"

namespace medidesk::cli {
namespace {

using ::testing::HasSubstr;

class TrialCertificatesTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(folder_); }

  mode_t Mode(const std::string& name) const {
    struct stat info = {};
    EXPECT_EQ(stat((folder_ + "/" + name).c_str(), &info), 0) << name;
    return info.st_mode & 0777;
  }
  std::string Read(const std::string& name) const {
    std::ifstream file(folder_ + "/" + name);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  const std::string folder_ = ::testing::TempDir() + "certs." + std::to_string(getpid());
};

TEST_F(TrialCertificatesTest, MakesFilesThatTheServicesTake) {
  ASSERT_TRUE(MakeTrialCertificates({.folder = folder_, .hosts = {"desk.hospital.example", "10.0.0.7"}}).ok());
  for (const std::string_view name : kCertificateNames) {
    const std::string stem = folder_ + "/" + std::string(name);
    rpc::TlsFiles files;
    files.ca = folder_ + "/ca.pem";
    files.cert = stem + ".pem";
    files.key = stem + ".key";
    EXPECT_TRUE(rpc::CheckTlsFiles(files).ok()) << name;
    EXPECT_EQ(Mode(std::string(name) + ".key"), 0600u) << name;
  }
  EXPECT_EQ(Mode("ca.key"), 0600u);
  EXPECT_EQ(Mode(""), 0700u);
}

TEST_F(TrialCertificatesTest, GivesAHostThatNamesAServiceToThatServiceAlone) {
  ASSERT_TRUE(
      MakeTrialCertificates({.folder = folder_, .hosts = {"desk.example", "gateway.example", "10.0.0.7"}}).ok());
  for (const std::string_view name : kCertificateNames) {
    const std::string pem = Read(std::string(name) + ".pem");
    const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                                         BIO_free);
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(
        PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr), X509_free);
    ASSERT_NE(certificate, nullptr) << name;
    const auto names = [&](const char* host) { return X509_check_host(certificate.get(), host, 0, 0, nullptr) == 1; };
    EXPECT_TRUE(names(std::string(name).c_str())) << name;
    EXPECT_TRUE(names("localhost") && names("desk.example")) << name;
    EXPECT_EQ(X509_check_ip_asc(certificate.get(), "127.0.0.1", 0), 1) << name;
    EXPECT_EQ(X509_check_ip_asc(certificate.get(), "10.0.0.7", 0), 1) << name;
    EXPECT_EQ(names("gateway.example"), name == "gateway") << name;
  }
}

TEST_F(TrialCertificatesTest, OverwritesNothing) {
  std::filesystem::create_directory(folder_);
  std::ofstream(folder_ + "/store.key") << "precious";
  EXPECT_EQ(MakeTrialCertificates({.folder = folder_, .hosts = {}}).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Read("store.key"), "precious");
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/ca.key"));
}

TEST_F(TrialCertificatesTest, RefusesHostsThatAreNone) {
  for (const char* host : {"", "a b", "DNS:evil", "a,DNS:gateway", "-x", "a..b", "UPPER"}) {
    EXPECT_EQ(MakeTrialCertificates({.folder = folder_, .hosts = {host}}).code(), absl::StatusCode::kInvalidArgument)
        << host;
  }
  EXPECT_FALSE(std::filesystem::exists(folder_));
}

TEST_F(TrialCertificatesTest, SaysWhenTheFolderCannotBeMade) {
  const absl::Status status = MakeTrialCertificates({.folder = folder_ + "/absent/deep", .hosts = {}});
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(Text(status)), HasSubstr("cannot make the folder"));
}

}  // namespace
}  // namespace medidesk::cli
