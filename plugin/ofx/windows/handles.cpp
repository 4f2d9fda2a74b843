#include "windows/handles.h"

#include <sddl.h>

#include <vector>

namespace cleanplate::os {

void close(std::intptr_t number) noexcept { ::CloseHandle(reinterpret_cast<HANDLE>(number)); }

std::wstring wide(const std::string& text) {
    const int size = static_cast<int>(text.size());
    std::wstring found(static_cast<size_t>(::MultiByteToWideChar(CP_UTF8, 0, text.data(), size, nullptr, 0)), L'\0');
    ::MultiByteToWideChar(CP_UTF8, 0, text.data(), size, found.data(), static_cast<int>(found.size()));
    return found;
}

std::string narrow(const std::wstring& text) {
    const int size = static_cast<int>(text.size());
    const int needed = ::WideCharToMultiByte(CP_UTF8, 0, text.data(), size, nullptr, 0, nullptr, nullptr);
    std::string found(static_cast<size_t>(needed), '\0');
    ::WideCharToMultiByte(CP_UTF8, 0, text.data(), size, found.data(), needed, nullptr, nullptr);
    return found;
}

std::string user_of(HANDLE process) {
    HANDLE opened = nullptr;
    if (!::OpenProcessToken(process, TOKEN_QUERY, &opened)) return "";
    const Descriptor token = descriptor_of(opened);
    DWORD size = 0;
    ::GetTokenInformation(opened, TokenUser, nullptr, 0, &size);
    std::vector<char> space(size);
    LPWSTR text = nullptr;
    if (!size || !::GetTokenInformation(opened, TokenUser, space.data(), size, &size) ||
        !::ConvertSidToStringSidW(reinterpret_cast<TOKEN_USER*>(space.data())->User.Sid, &text))
        return "";
    const std::string found = narrow(text);
    ::LocalFree(text);
    return found;
}

}  // namespace cleanplate::os
